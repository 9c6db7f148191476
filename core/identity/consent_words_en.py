"""The consent texts in English, for reading; the Chinese ones bind. See consent_texts.py before changing a word."""

from __future__ import annotations

from types import MappingProxyType

from models.account import Purpose

WHO = "Who: the operator of Yuezhen. Its name and address, as verified by the platform, are on the mini-program's page."
RIGHTS = (
    "Your rights: see, copy, correct and delete your data, have the rules explained, close your account. You can "
    "withdraw your consent as easily as you gave it, under My – Permissions; that takes effect at once and leaves what "
    "was done before lawful. We answer within 15 working days, and give a reason where we refuse. You may also "
    "complain to the cyberspace or health authorities."
)
CONTACT = (
    "Contact: the telephone number and mail address on the mini-program's page, or the service desk of your hospital."
)
KEPT_OF_PATIENTS = (
    "Retention: until {remover} the patient or {closer} the account. Contact data and what was volunteered are deleted "
    "at once then; so are name, document and birth date, where no appointment was ever made for the patient. Where one "
    "was, these are locked away for three years from the last day of a visit, as the record of what a hospital was "
    "told, and then deleted. How an identity was checked, with result, number and time, is kept as proof until three "
    "years after {whose} account is closed."
)


def _text(*items: str) -> str:
    return "\n\n".join((WHO, *items, RIGHTS, CONTACT))


TEXTS = MappingProxyType(
    {
        Purpose.SERVICE: (
            "Terms of service and privacy notice",
            _text(
                "Purpose: to log you in, to book, pay, cancel and refund hospital appointments for you and the "
                "patients you add, and to tell you the outcome; to recognise the resale of numbers. Your phone number, "
                "if you give it: to know that it is yours, to join your accounts at different platforms, and so that "
                "you do not agree in the place of others. Your location, if you check in by phone: to know whether you "
                "are as near to the hospital as it asks.",
                "How: the login platform (WeChat or Alipay) tells us your user id in this mini-program or official "
                "account; it also tells us your phone number once you allow it, or you type it and prove it by a code "
                "in a text message; you fill in what a booking needs; the payment platform tells us what was paid and "
                "refunded, and the hospital who has checked in and was seen, and the electronic receipts that it has "
                "issued. Your phone gives its location once, when you check in; it is compared with the "
                "hospital's and forgotten at once. Data stays in mainland China, encrypted in transit and at rest.",
                "Who is told: the payment platform (WeChat Pay or Alipay) your user id, the numbers of order and "
                "appointment and the amount, to be paid and to refund; WeChat Pay, where you pay with it in a browser "
                "outside of WeChat, also the network address of your device, to check where the payment comes "
                "from; WeChat, where it manages the deliveries of this "
                "mini-program, also the number of the payment, your user id, what it was for and when that was done, "
                "to settle what you paid; where you prove your phone by a code, the sender of text messages (Aliyun "
                "or Tencent Cloud) your phone number and the code, to send it. Nobody is told your location. Who is "
                "told of patients is said in the consents to identity, face, health and minors' data.",
                "Data: platform user id, phone number, login times and network logs, your location when you check in "
                "by phone; appointments, waiting lists, check-ins, permissions, strikes and appeals, order numbers and "
                "amounts, where a refund arrived in words (such as a bank's name and a card's last four digits); of "
                "electronic receipts code, number, check code, link, amount and day. We never receive your platform "
                "password or your whole card number.",
                "Retention: a login ends when it expires or you log out; your phone number until you change it or "
                "close the account; a code is good for 5 minutes, kept with the number as digests only, and deleted "
                "after a day; your location is neither stored nor logged; what payment platforms wrote to us half a "
                "year after it was dealt with; appointments and account data until you close the account; check code "
                "and link of a receipt until you remove the patient or close the account. "
                "After that: network and access logs half a year, waiting lists and signs of resale as long; records "
                "of consent, identity checks, permissions, joined accounts, check-in, appeals and strikes three years, "
                "as proof; appointments that were paid for or replaced when a clinic "
                "was called off, with their orders, thirty years under the rules on accounting archives; other "
                "appointments without a payment three years. None of these records holds a name or a document number. "
                "Then they are deleted.",
                "Effect on you: without it you cannot book here, but you can look at hospitals, departments and "
                "schedules, and register at the hospital's desk. Phone number and location need not be given: without "
                "the number accounts cannot be joined by it, nor, if you have not added yourself as a patient, others "
                "be asked to agree by text message; without the location, check in at the hospital's desk. Everything "
                "else works.",
            ),
        ),
        Purpose.SENSITIVE_IDENTITY: (
            "Separate consent: identity data",
            _text(
                "Purpose: hospitals see patients under their real name, and name and document must match on the day; "
                "it keeps numbers from being resold and identities from being misused.",
                "How: you fill it in; we check its form, and compare it by the identity check that you choose "
                "separately; the number of a card that a hospital makes for the patient, the hospital tells us. "
                "Document numbers are stored encrypted and shown only in part.",
                "Who is told: the one hospital you book with, its own registration system included. Where you choose "
                "to have name and document compared, a service for that (Aliyun or Tencent Cloud) is given the name "
                "and the document number, compares them with the register of the state, and tells us only whether "
                "they agree, and a number. Where you choose a check by text message, or ask a grown-up patient to "
                "agree by one, the sender of text messages (Aliyun or Tencent Cloud) is given that patient's phone "
                "number and the code, to send it.",
                "Data (sensitive): the patient's name, document type, number, country and expiry, sex, birth date, "
                "phone, relationship to you; if you choose to give them, address and region, e-mail, insurance number "
                "and the numbers of hospital cards (a hospital that asks for one says so beforehand); how the identity "
                "was checked, with result and time.",
                KEPT_OF_PATIENTS.format(remover="you remove", closer="close", whose="your"),
                "Effect on you: a leaked document number can be misused, so only what a booking needs is collected. "
                "Without it no patient can be added; everything else works, and the hospital's desk is open to you. "
                "Instead of the checks above you can show the document at the hospital's desk. "
                "When you fill it in for somebody else, make sure that they (or their guardian) agree.",
            ),
        ),
        Purpose.FACE: (
            "Separate consent: face verification",
            _text(
                "Purpose: to make sure that the patient is the one holding the phone, against the misuse of "
                "identities. For this one identity check only.",
                "How: the official component of the platform you are using (such as WeChat) captures and compares. We "
                "give that platform the name, the document number and your user id there, and receive only passed or "
                "failed, a number and a time. Images, video and templates never reach our servers and are not kept.",
                "Data (sensitive): the name and document number that are checked, the result, its number and time.",
                "Retention: the verification itself ends after 1 hour at most; its result, our number and the time are "
                "kept as proof until three years after you close the account, also where you remove the patient; what "
                "the platform gave us to ask by is deleted when you close the account.",
                "Necessity and effect on you: some numbers are only given to patients who have shown that they are "
                "present. Face verification is not the only way: showing the document at the hospital's desk counts "
                "the same, and refusing affects nothing else. It is not used below the age of 14, and at most 3 times "
                "a day for each patient.",
            ),
        ),
        Purpose.HEALTH: (
            "Separate consent: health data",
            _text(
                "Purpose: to let the hospital and doctor you book with know what you come for, and whether the "
                "department fits.",
                "How: you fill it in; it is given to the one hospital you book with. Stored encrypted, never used for "
                "marketing, never part of a message preview or an address.",
                "Data (sensitive): the department, your complaint, allergies and medical history, the state of the "
                "visit.",
                "Retention: what you filled in, until you delete it after the visit or close the account; medical "
                "records are kept by the hospital under the law, not by this service.",
                "Effect on you: leaked health data can lead to discrimination, so all of it is voluntary. Without it "
                "you can still book, and tell the doctor in person.",
            ),
        ),
        Purpose.MINOR: (
            "Guardian's consent: data of a minor",
            _text(
                "Purpose: a parent or other guardian books, pays, cancels and receives messages for a minor.",
                "How: the guardian fills it in and manages it; the number of a card that a hospital makes for the "
                "minor, the hospital tells us. Where staff look at it, who, when and why is logged, and the guardian "
                "can read that log. Stored encrypted, never used for marketing or recommendations.",
                "Who is told: the one hospital booked with, its own registration system included. Where the guardian "
                "chooses to have name and document compared, a service for that (Aliyun or Tencent Cloud) is given the "
                "name and the document number, compares them with the register of the state, and tells us only whether "
                "they agree, and a number; where a check by text message is chosen, the sender of text messages "
                "(Aliyun or Tencent Cloud) is given the phone number and the code, to send it. Instead, the document "
                "can be shown at the hospital's desk. Face verification from the age of 14 on, and health data at any "
                "age, have consents of their own.",
                "Data (all of it sensitive below the age of 14): the minor's name, document type, number, country and "
                "expiry, sex, birth date, relationship to the guardian and its proof, phone, appointments, how the "
                "identity was checked, with result and time; if the guardian chooses to give them, address and region, "
                "e-mail, insurance number and the numbers of hospital cards.",
                KEPT_OF_PATIENTS.format(remover="the guardian removes", closer="closes", whose="the guardian's"),
                "Effect on the minor: booking needs the guardian's consent; no face of a child below 14 is used. "
                "Without it no online booking is possible, and the guardian can register at the hospital's desk.",
            ),
        ),
    }
)
"""Title and text of each purpose."""
