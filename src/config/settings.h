// Every parameter of the library and the daemon, typed and with its default. The table over it (settings_table.cpp:
// module, name, range, help) is the one source for the parser, --dump-config and pua.conf(5).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pua {

struct Credential {
  std::string realm, user, password;   // realm "*": any
};

struct Settings {
  // module "pua"
  int64_t hash_size = 9;
  std::string db_url = "mysql://opensips:opensipsrw@localhost/opensips";
  std::string db_table = "pua";
  std::string db_start = "fail";       // fail | wait
  int64_t db_timeout = 5000;           // ms
  std::string db_socket;               // empty: where the client library looks
  std::string db_tls = "off";          // off | on | verify
  std::string db_tls_ca;               // file; empty: the system's
  bool db_clear_password = false;
  int64_t min_expires = 300;
  std::string max_expires = "86400";   // "86400" or "3600,dialog=600"
  int64_t default_expires = 3600;
  int64_t update_period = 30;
  int64_t cluster_id = 0;              // 0: none
  std::string cluster_sharing_tag;
  std::string outbound_proxy;
  std::vector<std::string> sip_listen; // where requests leave from, "sip:127.0.0.1:5070"; may be given several times
  std::vector<std::string> listen;     // where NOTIFYs are taken, "sip:192.0.2.1:5080"; may be given several times
  std::string contact;                 // Contact of subscriptions that name none; empty: the first of listen
  int64_t max_connections = 1024;      // from outside, to the addresses of listen
  int64_t max_connections_per_address = 64;
  int64_t tcp_silence = 10;            // s
  int64_t tcp_idle = 600;              // s
  std::string user_agent = "libpua";
  std::string tls_dir;                 // folder with agent.pem and cafile.pem
  bool tls_verify = true;
  std::vector<std::string> event_packages;   // event_package "name,bit,content type", may be given several times
  std::vector<Credential> credentials; // credential "realm:user:password", may be given several times
  int64_t max_body = 16384;
  int64_t max_headers = 4096;
  int64_t max_notify_body = 262144;
  bool notify_bad_documents = false;
  int64_t notify_keep = 1000;          // documents
  int64_t max_records = 2000000;
  int64_t max_backlog = 500000;
  int64_t max_waiters = 32;
  int64_t max_in_flight = 2000;
  int64_t ack_wait = 100;              // ms
  std::string sqlite_synchronous = "normal";  // normal | full
  int64_t sqlite_cache_mb = 64;
  int64_t sqlite_journal_lines = 262144;
  int64_t shutdown_timeout = 5;        // s
  bool unpublish_on_shutdown = false;
  bool sip_lane = true;
  std::string sip_driver = "auto";     // auto | port | nested
  int64_t sip_t1 = 500;                // ms, RFC 3261 T1
  int64_t loop_slow = 10;              // ms: the watchdog names what ran longer

  // module "puad"
  std::string log_level = "notice";
  std::string log_to = "stderr";       // stderr | syslog
  std::string syslog_facility = "daemon";
  std::string pid_file;

  // module "pua_mi"
  std::string dgram_socket = "/run/puad/puad.sock";
  std::string fifo_name;               // empty: no FIFO
  std::string fifo_reply_dir = "/tmp";
  int64_t fifo_mode = 0660;
  std::string presence_server;         // outbound proxy of control publications
  int64_t max_request = 65536;         // octets of one control request
  std::string http_listen;             // "127.0.0.1:8088"; empty: no HTTP
};

}  // namespace pua
