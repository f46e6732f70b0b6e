// The rows. Order is the order of the dump and of the man page.
#include "config/settings_table.h"

#include "config/checks.h"

namespace pua {

namespace {

constexpr int64_t kMaxInt = 2147483647;
using S = Settings;

const Param kTable[] = {
    {.module = "pua", .name = "hash_size", .type = ParamType::Int, .field = &S::hash_size, .min = 1, .max = 24,
     .help = "Initial size of the record table, as a power of two. The table grows by itself."},
    {.module = "pua", .name = "db_url", .field = &S::db_url, .check = check_db_url, .secret = Secret::UrlPassword,
     .help = "Where records are kept: \"sqlite:///var/lib/puad/pua.db\" (a file, created on first use), "
             "\"mysql://user:password@host[,host...][:port]/database\", or \"memory:\": then nothing outlives the process, and "
             "nothing is ever durable. In user, password and database of MariaDB, %25 stands for a percent sign, %2F for a "
             "slash, and so on: % and two hex digits are one octet."},
    {.module = "pua", .name = "db_table", .field = &S::db_table, .check = check_identifier,
     .help = "Name of the table: letters, digits and underscores, 60 at most."},
    {.module = "pua", .name = "db_start", .field = &S::db_start, .choices = "fail|wait",
     .help = "What happens where no MariaDB server answers at start: fail, or wait: the program starts, and loads its records "
             "when a server answers. Until then a new request is answered with 503 after some seconds, and sent later."},
    {.module = "pua", .name = "db_timeout", .type = ParamType::Int, .field = &S::db_timeout, .min = 100, .max = 600000,
     .unit = "ms", .help = "A MariaDB server that does not answer a statement for so long is taken for dead. SIP does not wait "
             "for it; ack_wait says how long callers do."},
    {.module = "pua", .name = "db_socket", .field = &S::db_socket, .check = check_path,
     .help = "Unix socket of the MariaDB server where db_url names localhost without a port. Empty: the client library's. "
             "Where there is none, 127.0.0.1 is tried."},
    {.module = "pua", .name = "db_tls", .field = &S::db_tls, .choices = "off|on|verify",
     .help = "Encryption of the connections to MariaDB: off, on, or verify: the server's certificate must also descend "
             "from those in db_tls_ca, and name the address where db_url gives one. A host name is not compared. With on and "
             "verify, a server that offers no encryption is told nothing, neither user nor password. A socket of this machine "
             "(db_socket) has no encryption."},
    {.module = "pua", .name = "db_tls_ca", .field = &S::db_tls_ca, .check = check_path,
     .help = "File with the certificates that a MariaDB server's must descend from. Needed where db_tls is verify."},
    {.module = "pua", .name = "db_clear_password", .type = ParamType::Bool, .field = &S::db_clear_password,
     .help = "Whether a MariaDB server may ask for the password as it is (mysql_clear_password, dialog), or under a key that "
             "it names (sha256_password, caching_sha2_password), as those do that look users up elsewhere. Only with db_tls on "
             "or verify: over a network the password then goes under encryption, and over a socket of this machine (db_socket) "
             "to whoever has made it."},
    {.module = "pua", .name = "min_expires", .type = ParamType::Int, .field = &S::min_expires, .min = 0, .max = kMaxLifetime,
     .unit = "s", .reloadable = true,
     .help = "Lower bound of Expires on the wire. Never applied to 0, which removes."},
    {.module = "pua", .name = "max_expires", .type = ParamType::Expires, .field = &S::max_expires, .min = 1,
     .max = kMaxLifetime,
     .unit = "s", .check = check_max_expires, .reloadable = true,
     .help = "Upper bound of Expires on the wire, for single events where given: \"3600,dialog=600\". It bounds how long a "
             "state that nobody refreshes can live at the server."},
    {.module = "pua", .name = "default_expires", .type = ParamType::Int, .field = &S::default_expires, .min = 1,
     .max = kMaxLifetime, .unit = "s", .reloadable = true,
     .help = "Lifetime asked for where the caller gives none. If it is not set, it follows min_expires and max_expires "
             "where the default would lie outside of them."},
    {.module = "pua", .name = "update_period", .type = ParamType::Int, .field = &S::update_period, .min = 1, .max = 3600,
     .unit = "s", .reloadable = true,
     .help = "Ceiling for how long a change may stay unwritten, and retry period of the store. Most changes are written "
             "much sooner."},
    {.module = "pua", .name = "cluster_id", .type = ParamType::Int, .field = &S::cluster_id, .min = 0, .max = kMaxInt,
     .help = "Clusters are not in this version: must be 0."},
    {.module = "pua", .name = "cluster_sharing_tag", .field = &S::cluster_sharing_tag, .check = check_tag,
     .help = "Sharing tag put on the records created here."},
    {.module = "pua", .name = "outbound_proxy", .field = &S::outbound_proxy, .check = check_next_hop, .reloadable = true,
     .secret = Secret::SipPassword,
     .help = "Next hop of requests that name none, as a SIP URI. Empty: requests go where their Request-URI says. "
             "Requests to sips: URIs go by TLS only: to \"sips:...\", \";transport=tls\", or sip: without a port."},
    {.module = "pua", .name = "sip_listen", .type = ParamType::List, .field = &S::sip_listen, .check = check_listen,
     .help = "Address that requests leave from, as a SIP URI: \"sip:192.0.2.1:5070\", "
             "\"sip:[2001:db8::1]:5070;transport=tcp\". SUBSCRIBEs whose Contact is an address of listen leave from there "
             "instead. Nobody can connect to it. May be given several times; none: any address of both families, a free port. "
             "On a machine with several networks, name its addresses: with any address, requests over TCP leave from the first "
             "one that the machine has."},
    {.module = "pua", .name = "listen", .type = ParamType::List, .field = &S::listen, .check = check_listen,
     .help = "Address that NOTIFYs are taken at, as a SIP URI like those of sip_listen, and another one than those: over UDP "
             "and TCP, over one of them with transport=, over TLS where it is sips:. May be given several times; none: the "
             "host takes NOTIFYs itself. Over a connection a message "
             "may be 64 KB longer than max_notify_body: a NOTIFY of ours that is longer counts without its body, others get "
             "413."},
    {.module = "pua", .name = "contact", .field = &S::contact, .check = check_contact, .secret = Secret::SipPassword,
     .help = "Contact of subscriptions that name none, as a SIP URI: where NOTIFYs are to come. Empty: the address of listen "
             "that fits the way of the request; where that is every address of the machine, the one that the server is reached "
             "from."},
    {.module = "pua", .name = "max_connections", .type = ParamType::Int, .field = &S::max_connections, .min = 1, .max = 100000,
     .help = "How many connections from outside (TCP, TLS) all addresses of listen may have together. When one more comes, one "
             "is closed that has brought no NOTIFY for a subscription of ours: the oldest such one of the address that has "
             "most of them."},
    {.module = "pua", .name = "max_connections_per_address", .type = ParamType::Int, .field = &S::max_connections_per_address,
     .min = 1,
     .max = 100000,
     .help = "How many of these may come from one address, or from one /64 of IPv6. When one more comes, the oldest one of "
             "that address is closed that has brought no NOTIFY for a subscription of ours; where all have, the one that has "
             "been silent longest."},
    {.module = "pua", .name = "tcp_silence", .type = ParamType::Int, .field = &S::tcp_silence, .min = 1, .max = 3600,
     .unit = "s",
     .help = "How long a connection from outside may take to bring its first message, TLS handshake included; to end a message "
             "that it began; and to read its answers. After that it is closed."},
    {.module = "pua", .name = "tcp_idle", .type = ParamType::Int, .field = &S::tcp_idle, .min = 1, .max = 86400, .unit = "s",
     .help = "How long a connection from outside may bring neither a message nor a keep-alive before it is closed."},
    {.module = "pua", .name = "user_agent", .field = &S::user_agent, .check = check_user_agent,
     .help = "User-Agent header field of requests. Empty: none."},
    {.module = "pua", .name = "tls_dir", .field = &S::tls_dir, .check = check_path,
     .help = "Folder with agent.pem (certificate and key) and cafile.pem, for sips: and transport=tls. Files that were renewed "
             "count for connections from outside after a restart. TLS to servers needs an address of sip_listen that is "
             "sips:."},
    {.module = "pua", .name = "tls_verify", .type = ParamType::Bool, .field = &S::tls_verify,
     .help = "Whether certificates of servers must be valid and name the server."},
    {.module = "pua", .name = "event_package", .type = ParamType::List, .field = &S::event_packages,
     .check = check_event_package,
     .help = "One more event package that can be published and subscribed to: \"name,bit,content type\", as in "
             "\"vq-rtcpxr,512,application/vq-rtcpxr\". The content type is that of documents whose owners name none; without "
             "it they must name one. The bit, a power of two up to 1073741824, stands for the package in the database and must "
             "not be one of another package; those up to 256 are taken. To give a bit to another package, end its records, and "
             "start once without this line before the new one comes. The documents go out as they are. May be given several "
             "times."},
    {.module = "pua", .name = "credential", .type = ParamType::List, .field = &S::credentials, .check = check_credential,
     .reloadable = true, .secret = Secret::CredentialPassword,
     .help = "Answer to a digest challenge by MD5, SHA-256 or SHA-512-256: \"realm:user:password\". Realm * stands for any "
             "realm that has no line of its own. May be given several times."},
    {.module = "pua", .name = "max_body", .type = ParamType::Size, .field = &S::max_body, .min = 256, .max = 1048576,
     .unit = "octets", .reloadable = true, .help = "Longest document taken from owners."},
    {.module = "pua", .name = "max_notify_body", .type = ParamType::Size, .field = &S::max_notify_body, .min = 256,
     .max = 1048576,
     .unit = "octets", .reloadable = true,
     .help = "Longest document taken with a NOTIFY. Of a longer one, what the NOTIFY says of the subscription counts all the "
             "same; its document is left out."},
    {.module = "pua", .name = "notify_bad_documents", .type = ParamType::Bool, .field = &S::notify_bad_documents,
     .reloadable = true,
     .help = "Whether handlers and watchers get documents that are not well-formed, of a type that was not asked for, or of "
             "none, flagged as bad. Else they get the NOTIFY without its document."},
    {.module = "pua", .name = "max_headers", .type = ParamType::Size, .field = &S::max_headers, .min = 0, .max = 65535,
     .unit = "octets", .reloadable = true, .help = "How long the extra header lines of a request may be, all together."},
    {.module = "pua", .name = "notify_keep", .type = ParamType::Int, .field = &S::notify_keep, .min = 0, .max = 1000000,
     .unit = "documents",
     .help = "For how many subscriptions, those heard from last, the last NOTIFY's document is kept for lists and details, if "
             "it is at most 1024 octets long. Handlers and watchers get every document."},
    {.module = "pua", .name = "max_records", .type = ParamType::Int, .field = &S::max_records, .min = 1, .max = 50000000,
     .reloadable = true, .help = "How many records there may be. With so many, new ones are refused."},
    {.module = "pua", .name = "max_backlog", .type = ParamType::Int, .field = &S::max_backlog, .min = 0, .max = 50000000,
     .reloadable = true, .help = "How many rows may wait while the database takes none. With so many waiting, new records are "
             "refused; those that are there go on."},
    {.module = "pua", .name = "max_waiters", .type = ParamType::Int, .field = &S::max_waiters, .min = 1, .max = 1024,
     .reloadable = true, .help = "How many callers may wait for the outcome of requests for one record. More are refused."},
    {.module = "pua", .name = "max_in_flight", .type = ParamType::Int, .field = &S::max_in_flight, .min = 1, .max = 10000,
     .help = "How many SIP requests may wait for their answers at a time. Others wait for their turn to be sent."},
    {.module = "pua", .name = "ack_wait", .type = ParamType::Int, .field = &S::ack_wait, .min = 0, .max = 10000,
     .unit = "ms", .reloadable = true,
     .help = "How long a result waits for the commit of its row. After that it is delivered as not durable."},
    {.module = "pua", .name = "sqlite_synchronous", .field = &S::sqlite_synchronous, .choices = "normal|full",
     .help = "SQLite's synchronous setting. With normal, nothing is lost when the process is killed; with full, nothing is "
             "lost when the power fails."},
    {.module = "pua", .name = "sqlite_cache_mb", .type = ParamType::Int, .field = &S::sqlite_cache_mb, .min = 1, .max = 4096,
     .unit = "MB", .help = "Page cache of SQLite."},
    {.module = "pua", .name = "sqlite_journal_lines", .type = ParamType::Int, .field = &S::sqlite_journal_lines, .min = 0,
     .max = 4194304,
     .help = "Changes of rows (refreshes and the like) that gather in the journal beside the table before they are folded into "
             "the rows; in quiet times they are folded sooner. More of them cost less work in all and more at the next start "
             "after a crash. 0: every change writes its whole row."},
    {.module = "pua", .name = "shutdown_timeout", .type = ParamType::Int, .field = &S::shutdown_timeout, .min = 0,
     .max = 600, .unit = "s", .reloadable = true,
     .help = "How long a shutdown may take to write what is unwritten, and to un-publish where that is asked for."},
    {.module = "pua", .name = "unpublish_on_shutdown", .type = ParamType::Bool, .field = &S::unpublish_on_shutdown,
     .reloadable = true, .help = "Whether a shutdown removes all publications from the server."},
    {.module = "pua", .name = "sip_lane", .type = ParamType::Bool, .field = &S::sip_lane,
     .help = "Whether UDP goes through sockets of libpua's own: requests are sent in batches, and what strangers send is "
             "sorted before anything is kept of it. With no, sofia-sip has the UDP sockets, at several times the cost: the "
             "messages are the same, but sofia looks up the names of servers (no next server after 503, no answers from "
             "memory), and strangers get next to none."},
    {.module = "pua", .name = "sip_driver", .field = &S::sip_driver, .choices = "auto|port|nested",
     .help = "How the SIP stack runs inside the event loop: port (its sockets in the loop), nested (its own epoll in the "
             "loop), or auto: port if its self-test passes at start, else nested."},
    {.module = "pua", .name = "sip_t1", .type = ParamType::Int, .field = &S::sip_t1, .min = 10, .max = 10000, .unit = "ms",
     .help = "T1 of RFC 3261: first retransmission after T1, no answer after 64 times T1."},
    {.module = "pua", .name = "loop_slow", .type = ParamType::Int, .field = &S::loop_slow, .min = 1, .max = 10000,
     .unit = "ms", .reloadable = true, .help = "The watchdog logs and counts what holds up the event loop longer than this."},

    {.module = "puad", .name = "log_level", .field = &S::log_level, .choices = "error|warning|notice|info|debug",
     .reloadable = true, .help = "What is logged: this level and those before it."},
    {.module = "puad", .name = "log_to", .field = &S::log_to, .choices = "stderr|syslog", .help = "Where the log goes."},
    {.module = "puad", .name = "syslog_facility", .field = &S::syslog_facility,
     .choices = "daemon|user|auth|local0|local1|local2|local3|local4|local5|local6|local7",
     .help = "Facility of syslog messages."},
    {.module = "puad", .name = "pid_file", .field = &S::pid_file, .check = check_path,
     .help = "File that the process id is written to. Empty: none."},

    {.module = "pua_mi", .name = "dgram_socket", .field = &S::dgram_socket, .check = check_socket_path,
     .help = "Unix datagram socket of the control interface. Empty: none."},
    {.module = "pua_mi", .name = "fifo_name", .field = &S::fifo_name, .check = check_path,
     .help = "FIFO of the control interface. Empty: none."},
    {.module = "pua_mi", .name = "fifo_reply_dir", .field = &S::fifo_reply_dir, .check = check_path,
     .help = "Folder of the FIFOs that replies are written to; requests name theirs without a folder. It must be the one that "
             "the clients mean: most make their FIFOs in /tmp, which a service with PrivateTmp does not see."},
    {.module = "pua_mi", .name = "fifo_mode", .type = ParamType::Mode, .field = &S::fifo_mode, .min = 0, .max = 0777,
     .help = "Permissions of the FIFO, and of the datagram socket: who may write to one may give orders."},
    {.module = "pua_mi", .name = "presence_server", .field = &S::presence_server, .check = check_next_hop,
     .reloadable = true, .secret = Secret::SipPassword,
     .help = "Next hop of publications made through the control interface that name none. Empty: outbound_proxy."},
    {.module = "pua_mi", .name = "max_request", .type = ParamType::Size, .field = &S::max_request, .min = 1024,
     .max = 1048576, .unit = "octets", .help = "Longest control request taken."},
    {.module = "pua_mi", .name = "http_listen", .field = &S::http_listen, .check = check_http_listen,
     .help = "Address and port of the HTTP server, which shows the metrics: \"127.0.0.1:8088\", \"[::1]:8088\". Whoever can "
             "reach it can read them. Empty: none."},
};

}  // namespace

std::span<const Param> settings_table() { return kTable; }

const Param* find_param(std::string_view module, std::string_view name) {
  for (const Param& p : kTable) {
    if (p.module == module && p.name == name) return &p;
  }
  return nullptr;
}

bool known_module(std::string_view module) {
  for (const Param& p : kTable) {
    if (p.module == module) return true;
  }
  return false;
}

std::string_view param_type_text(const Param& p) {
  switch (p.type) {
    case ParamType::Int: return "integer";
    case ParamType::Size: return "integer or string with a unit";
    case ParamType::Bool: return "0, 1, \"no\" or \"yes\"";
    case ParamType::Mode: return "file mode";
    case ParamType::String: return "string";
    case ParamType::Expires: return "integer or string";
    case ParamType::List: return "string, repeatable";
  }
  return "";
}

std::string param_range_text(const Param& p) {
  std::string out;
  if (p.type == ParamType::Mode) {
    char buf[32];
    snprintf(buf, sizeof buf, "0%llo to 0%llo", static_cast<unsigned long long>(p.min),
             static_cast<unsigned long long>(p.max));
    return buf;
  }
  if (p.max != 0) {
    out = std::to_string(p.min) + " to " + std::to_string(p.max);
    if (!p.unit.empty()) out.append(" ").append(p.unit);
    return out;
  }
  for (char c : p.choices) {
    if (c == '|') out += ", ";
    else out += c;
  }
  return out;
}

}  // namespace pua
