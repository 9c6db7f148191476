"""The tables of the sandbox's own state file. Instants are seconds of the sandbox's clock, money is integer fen."""

TABLES = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists users (
  appid text not null, open_id text not null, union_id text, phone text, session_key text, created_at real not null,
  primary key (appid, open_id));
create table if not exists login_codes (
  code text primary key, appid text not null, open_id text not null, created_at real not null, used_at real);
create table if not exists phone_codes (
  code text primary key, appid text not null, open_id text not null, phone text not null, country_code text not null,
  created_at real not null, used_at real);
create table if not exists access_tokens (
  token text primary key, appid text not null, family text not null, issued_at real not null,
  expires_at real not null, dies_at real not null, forced integer not null default 0);
create index if not exists access_tokens_of_app on access_tokens (appid, family, issued_at);
create table if not exists token_fetches (
  appid text not null, family text not null, fetches integer not null, primary key (appid, family));
create table if not exists verifications (
  verify_id text primary key, appid text not null, out_seq_no text not null, openid text not null,
  cert_hash text not null, verify_ret integer not null default 0, created_at real not null,
  unique (appid, out_seq_no));
create table if not exists followers (
  appid text not null, open_id text not null, following integer not null, last_stamp integer not null default 0,
  primary key (appid, open_id));
create table if not exists menus (appid text primary key, menu text not null);
create table if not exists scenes (
  ticket text primary key, appid text not null, scene text not null, code text not null unique,
  created_at real not null, expires_at real);
create table if not exists jsapi_tickets (
  ticket text primary key, appid text not null, expires_at real not null);
create table if not exists oauth_codes (
  code text primary key, appid text not null, open_id text not null, union_id text, scope text not null,
  snapshot integer not null, created_at real not null, used_at real);
create table if not exists oauth_tokens (
  token text primary key, appid text not null, open_id text not null, union_id text, scope text not null,
  expires_at real not null);
create table if not exists url_links (
  code text primary key, appid text not null, path text not null, query text not null, created_at real not null,
  expires_at real not null);
create table if not exists push_servers (
  appid text primary key, url text not null, mode text not null, format text not null);
create table if not exists pushes (
  id integer primary key autoincrement, appid text not null, open_id text not null, kind text not null,
  message text not null, mode text not null, format text not null, url text not null, created_at real not null);
create index if not exists pushes_of_person on pushes (appid, open_id, id);
create table if not exists push_attempts (
  id integer primary key autoincrement, push_id integer not null, at real not null, query text not null,
  body text not null, status integer, answer text, error text, elapsed_ms integer not null, reply text not null);
create index if not exists push_attempts_of_push on push_attempts (push_id);
create table if not exists sms_messages (
  id integer primary key autoincrement, provider text not null, phone text not null, sign_name text not null,
  template text not null, params text not null, text text not null, number text not null, at real not null);
create index if not exists sms_messages_of_phone on sms_messages (phone, id);
create table if not exists sms_nonces (nonce text primary key, seen_at real not null);
create table if not exists realname_answers (id_number text primary key, answer text not null);
create table if not exists hospital_claims (
  claim text primary key, place text not null, state text not null, reason text, patient text, number text,
  sequence integer, paid_fen integer, created_at real not null);
create index if not exists hospital_claims_of_place on hospital_claims (place);
create table if not exists hospital_patients (
  hospital text not null, id_type text not null, id_number text not null, number text not null unique,
  primary key (hospital, id_type, id_number));
create table if not exists hospital_offers (
  id integer primary key autoincrement, hospital text not null, content text not null);
create table if not exists hospital_visits (
  id integer primary key autoincrement, hospital text not null, claim text not null, kind text not null,
  at real not null);
create table if not exists hospital_nonces (nonce text primary key, seen_at real not null);
create table if not exists nonces (
  mchid text not null, nonce text not null, seen_at real not null, primary key (mchid, nonce));
create index if not exists nonces_by_age on nonces (seen_at);
create table if not exists trades (
  mchid text not null, out_trade_no text not null, appid text not null, openid text not null, params text not null,
  amount_fen integer not null, attach text, notify_url text not null, time_expire real not null, state text not null,
  transaction_id text unique, success_at real, created_at real not null, failures integer not null default 0,
  primary key (mchid, out_trade_no));
create index if not exists trades_by_number on trades (out_trade_no);
create table if not exists managed_apps (appid text primary key);
create table if not exists shippings (
  transaction_id text primary key, content text, upload_time real, is_finished integer not null default 0,
  reports integer not null default 0);
create table if not exists prepays (
  prepay_id text primary key, mchid text not null, out_trade_no text not null, created_at real not null);
create index if not exists prepays_of_trade on prepays (mchid, out_trade_no, created_at);
create table if not exists refunds (
  refund_id text primary key, mchid text not null, out_refund_no text not null, out_trade_no text not null,
  transaction_id text not null, params text not null, amount_fen integer not null, total_fen integer not null,
  notify_url text, state text not null, outcome text not null, settle_at real, success_at real,
  created_at real not null, settled_at real, unique (mchid, out_refund_no));
create index if not exists refunds_of_trade on refunds (mchid, out_trade_no);
create index if not exists refunds_due on refunds (settle_at) where settle_at is not null;
create table if not exists notices (
  id text primary key, kind text not null, event_type text not null, mchid text not null, out_trade_no text not null,
  out_refund_no text, url text not null, body blob not null, fault text, fault_body blob, signer text not null,
  state text not null, step integer not null default 0, next_at real, created_at real not null,
  channel text not null default 'wechat_pay');
create index if not exists notices_due on notices (next_at) where next_at is not null;
create table if not exists attempts (
  id integer primary key autoincrement, event_id text not null, at real not null, status integer, answer text,
  error text, elapsed_ms integer not null, fault text, resent integer not null);
create index if not exists attempts_of_notice on attempts (event_id);
create table if not exists faults (
  id integer primary key autoincrement, target text not null, kind text not null, params text not null,
  match text not null, remaining integer, taken integer not null default 0);
create table if not exists bill_files (
  token text primary key, owner text not null, content blob not null, created_at real not null, taken_at real);
create table if not exists wechat_pay_modes (
  mchid text primary key, mode text not null, since real not null, percent real, serial text);
create table if not exists wechat_pay_certificates (
  id integer primary key autoincrement, mchid text not null, key_pem text not null, pem text not null);
create table if not exists calls (
  id integer primary key autoincrement, at real not null, operation text not null, method text not null,
  path text not null, number text, caller text, count integer not null, status text, answered_at real);
create index if not exists calls_by_number on calls (operation, number);
create table if not exists alipay_certificates (
  app_id text not null, sn text primary key, key_pem text not null, cert text not null, issued_at real not null);
create table if not exists alipay_users (
  app_id text not null, open_id text not null, user_id text not null, union_id text, phone text,
  created_at real not null, primary key (app_id, open_id));
create index if not exists alipay_users_by_id on alipay_users (user_id);
create table if not exists alipay_codes (
  code text primary key, app_id text not null, open_id text not null, created_at real not null, used_at real);
create table if not exists alipay_tokens (
  access_token text primary key, refresh_token text not null unique, app_id text not null, open_id text not null,
  created_at real not null, refreshed_at real);
create table if not exists alipay_certifications (
  certify_id text primary key, app_id text not null, outer_order_no text not null, cert_name text not null,
  return_url text not null, passed text, fail_reason text, created_at real not null, unique (app_id, outer_order_no));
create table if not exists alipay_trades (
  trade_no text primary key, seller_id text not null, app_id text not null, out_trade_no text not null,
  open_id text not null, user_id text not null, content text not null, subject text not null, body text,
  passback_params text, amount_fen integer not null, notify_url text, charset text not null, time_expire real not null,
  state text not null, paid_at real, closed_at real, created_at real not null, failures integer not null default 0,
  unique (seller_id, out_trade_no));
create index if not exists alipay_trades_by_number on alipay_trades (out_trade_no);
create table if not exists alipay_wap_orders (
  token text primary key, app_id text not null, content text not null, notify_url text, return_url text,
  charset text not null, created_at real not null);
create table if not exists alipay_refunds (
  trade_no text not null, out_request_no text not null, amount_fen integer not null, reason text,
  state text not null, refunded_at real, created_at real not null, primary key (trade_no, out_request_no));
create index if not exists alipay_refunds_by_number on alipay_refunds (out_request_no);
"""

#: Columns that older state files do not have yet: table, column, definition.
ADDED_COLUMNS = (
    ("notices", "channel", "text not null default 'wechat_pay'"),
    ("refunds", "settled_at", "real"),
    ("refunds", "account", "text"),
    ("trades", "bank", "text"),
    ("alipay_trades", "bank", "text"),
)
