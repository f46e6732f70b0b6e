// What is made from the settings table: the dump, the man page; what a reload takes over; and the table itself.
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config/checks.h"
#include "config/dump.h"
#include "config/parser.h"
#include "config/reload.h"
#include "config/settings_table.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

// A value other than the default for every parameter, all types included.
const char* const kOther =
    R"(modparam("pua", "hash_size", 10)
modparam("pua", "db_url", "sqlite:///tmp/a:b@c \"quoted\\path\".db")
modparam("pua", "db_table", "pua2")
modparam("pua", "db_start", "wait")
modparam("pua", "db_timeout", 2500)
modparam("pua", "db_socket", "/run/db.sock")
modparam("pua", "db_tls", "verify")
modparam("pua", "db_tls_ca", "/etc/ca.pem")
modparam("pua", "db_clear_password", 1)
modparam("pua", "min_expires", 100)
modparam("pua", "max_expires", "7200,dialog=600")
modparam("pua", "default_expires", 1800)
modparam("pua", "update_period", 5)
modparam("pua", "cluster_id", 3)
modparam("pua", "cluster_sharing_tag", "vip")
modparam("pua", "outbound_proxy", "sip:127.0.0.1")
modparam("pua", "sip_listen", "sip:127.0.0.1:5070")
modparam("pua", "sip_listen", "sip:[::1]:5070")
modparam("pua", "listen", "sip:127.0.0.1:5080")
modparam("pua", "listen", "sip:127.0.0.1:5081;transport=tcp")
modparam("pua", "contact", "sip:pua@192.0.2.1:5080")
modparam("pua", "max_connections", 20)
modparam("pua", "max_connections_per_address", 4)
modparam("pua", "tcp_silence", 3)
modparam("pua", "tcp_idle", 30)
modparam("pua", "user_agent", "été")
modparam("pua", "tls_dir", "/etc/tls")
modparam("pua", "tls_verify", 0)
modparam("pua", "event_package", "vq-rtcpxr,512,application/vq-rtcpxr")
modparam("pua", "credential", "a:b:***")
modparam("pua", "max_body", 1000)
modparam("pua", "max_notify_body", 2000)
modparam("pua", "notify_bad_documents", 1)
modparam("pua", "max_headers", 100)
modparam("pua", "notify_keep", 5)
modparam("pua", "max_records", 10)
modparam("pua", "max_backlog", 7)
modparam("pua", "max_waiters", 2)
modparam("pua", "max_in_flight", 3)
modparam("pua", "ack_wait", 7)
modparam("pua", "sqlite_synchronous", "full")
modparam("pua", "sqlite_cache_mb", 1)
modparam("pua", "sqlite_journal_lines", 7)
modparam("pua", "shutdown_timeout", 1)
modparam("pua", "unpublish_on_shutdown", 1)
modparam("pua", "sip_lane", 0)
modparam("pua", "sip_driver", "nested")
modparam("pua", "sip_t1", 100)
modparam("pua", "loop_slow", 20)
modparam("puad", "log_level", "debug")
modparam("puad", "log_to", "syslog")
modparam("puad", "syslog_facility", "local3")
modparam("puad", "pid_file", "/run/x.pid")
modparam("pua_mi", "dgram_socket", "")
modparam("pua_mi", "fifo_name", "/tmp/f")
modparam("pua_mi", "fifo_reply_dir", "/run")
modparam("pua_mi", "fifo_mode", 0600)
modparam("pua_mi", "presence_server", "sip:127.0.0.2")
modparam("pua_mi", "max_request", 2048)
modparam("pua_mi", "http_listen", "[::1]:8088")
)";

Settings parsed(const std::string& text) {
  std::vector<std::string> warnings;
  auto r = parse_config(text, "t.conf", warnings);
  if (!r) FAIL(r.error().message.c_str());
  return *r;
}

// The dump without its comments and blank lines.
std::string bare(const std::string& dump) {
  std::stringstream in(dump);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') out += line + "\n";
  }
  return out;
}

std::string joined(const std::vector<std::string>& v) {
  std::string out;
  for (const auto& s : v) out += s + ",";
  return out;
}

}  // namespace

TEST_GROUP(ConfigDump){};

TEST(ConfigDump, a_number_in_a_string_comes_back_as_it_was_written) {
  Settings s = parsed("modparam(\"pua\", \"max_expires\", \"0360\")\n");
  STRCMP_EQUAL("0360", s.max_expires.c_str());
  STRCMP_EQUAL("0360", parsed(dump_config(s).c_str()).max_expires.c_str());
}

TEST(ConfigDump, every_parameter_comes_back_as_it_was_set) {
  STRCMP_EQUAL(kOther, bare(dump_config(parsed(kOther))).c_str());
}

TEST(ConfigDump, the_dump_is_a_config_file_with_the_same_values) {
  std::string once = dump_config(parsed(kOther));
  STRCMP_EQUAL(once.c_str(), dump_config(parsed(once)).c_str());
  std::string defaults = dump_config(Settings{});
  STRCMP_EQUAL(defaults.c_str(), dump_config(parsed(defaults)).c_str());
}

TEST(ConfigDump, every_parameter_shows_its_help_type_range_and_default) {
  STRCMP_CONTAINS("# Lower bound of Expires on the wire. Never applied to 0, which removes.\n"
                  "# integer: 0 to 31536000 s; default 300; reloadable\n"
                  "modparam(\"pua\", \"min_expires\", 300)\n",
                  dump_config(Settings{}).c_str());
  STRCMP_CONTAINS("default none\n# modparam(\"pua\", \"sip_listen\", ...)\n", dump_config(Settings{}).c_str());
  STRCMP_CONTAINS("# file mode: 00 to 0777; default 0660\nmodparam(\"pua_mi\", \"fifo_mode\", 0660)\n", dump_config(Settings{}).c_str());
}

TEST(ConfigDump, passwords_are_never_shown) {
  Settings s;
  s.db_url = "mysql://root:top@secret:1@db1,db2:3306/pua";
  s.credentials = {{"r", "u", "topsecret"}, {"*", "u2", "top"}};
  std::string dump = dump_config(s);
  CHECK_FALSE(dump.find("top") != std::string::npos);
  STRCMP_CONTAINS("modparam(\"pua\", \"db_url\", \"mysql://root:***@db1,db2:3306/pua\")\n", dump.c_str());
  STRCMP_CONTAINS("modparam(\"pua\", \"credential\", \"r:u:***\")\nmodparam(\"pua\", \"credential\", \"*:u2:***\")\n", dump.c_str());
  CHECK_FALSE(dump.find("opensipsrw") != std::string::npos);
}

TEST(ConfigDump, passwords_in_sip_uris_are_never_shown) {
  Settings s;
  s.outbound_proxy = "sip:alice:secret@proxy.example.com;transport=tcp";
  s.presence_server = "sips:bob:s:ecret@p.example.com";
  s.contact = "sip:pua@192.0.2.1:5080";
  std::string dump = dump_config(s);
  CHECK_FALSE(dump.find("ecret") != std::string::npos);
  STRCMP_CONTAINS("modparam(\"pua\", \"outbound_proxy\", \"sip:alice:***@proxy.example.com;transport=tcp\")\n", dump.c_str());
  STRCMP_CONTAINS("modparam(\"pua_mi\", \"presence_server\", \"sips:bob:***@p.example.com\")\n", dump.c_str());
  STRCMP_CONTAINS("modparam(\"pua\", \"contact\", \"sip:pua@192.0.2.1:5080\")\n", dump.c_str());
  std::vector<std::string> warnings;
  auto wrong = parse_config("modparam(\"pua\", \"outbound_proxy\", \"sip:alice:secret@proxy<\")\n", "t.conf", warnings);
  CHECK(!wrong.ok());
  CHECK_FALSE(wrong.error().message.find("secret") != std::string::npos);
}

// What stands in a dump in the place of a password is nobody's password.
TEST(ConfigDump, a_hidden_password_is_told_by_its_parameter) {
  CHECK(!fit_passwords(Settings{}).has_value());
  auto told = [](const char* name, const std::function<void(Settings&)>& change) {
    Settings s;
    change(s);
    CHECK_FALSE_TEXT(fit_passwords(s).has_value(), name);
    std::string dump = dump_config(s);
    std::vector<std::string> warnings;
    auto back = parse_config(dump, "t.conf", warnings);
    CHECK_TEXT(back.ok(), name);
    auto misfit = fit_passwords(*back);
    CHECK_TEXT(misfit.has_value(), name);
    STRCMP_EQUAL(name, misfit->name);
    STRCMP_CONTAINS("which is what --dump-config shows in its place", misfit->what.c_str());
  };
  told("db_url", [](Settings& s) { s.db_url = "mysql://u:secret@h/d"; });
  told("credential", [](Settings& s) { s.db_url = "memory:", s.credentials = {{"r", "u", "secret"}}; });
  told("outbound_proxy", [](Settings& s) { s.db_url = "memory:", s.outbound_proxy = "sip:u:secret@h"; });
  told("presence_server", [](Settings& s) { s.db_url = "memory:", s.presence_server = "sip:u:secret@h"; });
  told("contact", [](Settings& s) { s.db_url = "memory:", s.contact = "sip:u:secret@h"; });
}

TEST(ConfigDump, the_sample_config_is_valid_and_uses_sqlite) {
  std::stringstream text;
  text << std::ifstream("scripts/pua.conf.sample").rdbuf();
  CHECK_FALSE(text.str().empty());
  STRCMP_EQUAL("sqlite:///var/lib/puad/pua.db", parsed(text.str()).db_url.c_str());
  // Each line that is commented out is valid as well.
  std::string all, line;
  while (std::getline(text, line)) all += (line.starts_with("#modparam") ? line.substr(1) : line) + "\n";
  parsed(all);
}

TEST(ConfigDump, the_man_page_lists_what_the_table_holds) {
  std::stringstream page;
  page << std::ifstream("man/pua.conf.5").rdbuf();
  auto filled = fill_man_page(page.str());
  CHECK(filled.ok());
  CHECK_TEXT(*filled == page.str(), "man/pua.conf.5 is out of date: run this program with --write-man man/pua.conf.5");
  for (const Param& p : settings_table()) STRCMP_CONTAINS((".It Cm " + std::string(p.name) + " Pq").c_str(), page.str().c_str());
}

TEST(ConfigDump, a_man_page_without_markers_is_refused) {
  auto r = fill_man_page(".Dd today\n");
  CHECK_FALSE(r.ok());
  CHECK(r.code() == Errc::bad_argument);
}

TEST_GROUP(SettingsTable){};

TEST(SettingsTable, rows_are_complete_and_their_defaults_legal) {
  std::set<std::string> names;
  for (const Param& p : settings_table()) {
    std::string name = std::string(p.module) + " " + std::string(p.name);
    CHECK_TEXT(names.insert(name).second, name.c_str());
    CHECK_TEXT(p.help.size() > 10 && p.help.ends_with('.'), name.c_str());
    bool number = std::holds_alternative<int64_t Settings::*>(p.field);
    if (number) {
      int64_t v = Settings{}.*std::get<int64_t Settings::*>(p.field);
      CHECK_TEXT(v >= p.min && v <= p.max, name.c_str());
      CHECK_TEXT(p.type == ParamType::Int || p.type == ParamType::Size || p.type == ParamType::Mode, name.c_str());
    } else if (std::holds_alternative<std::string Settings::*>(p.field)) {
      CHECK_TEXT(p.type == ParamType::String || p.type == ParamType::Expires, name.c_str());
      CHECK_TEXT(p.check || !p.choices.empty(), name.c_str());
    }
  }
}

TEST_GROUP(ConfigReload){};

TEST(ConfigReload, reloadable_settings_are_taken_over_and_the_others_named) {
  Settings running, fresh = running;
  fresh.min_expires = 60;
  fresh.credentials = {{"a", "b", "c"}};
  fresh.db_table = "other";
  fresh.sip_listen = {"sip:127.0.0.1"};
  fresh.log_level = "debug";
  std::vector<std::string> changed, ignored;
  apply_reloadable(running, fresh, changed, ignored);
  STRCMP_EQUAL("pua min_expires,pua credential,puad log_level,", joined(changed).c_str());
  STRCMP_EQUAL("pua db_table,pua sip_listen,", joined(ignored).c_str());
  LONGS_EQUAL(60, running.min_expires);
  STRCMP_EQUAL("c", running.credentials[0].password.c_str());
  STRCMP_EQUAL("pua", running.db_table.c_str());
  CHECK(running.sip_listen.empty());
}

TEST(ConfigReload, nothing_changes_if_nothing_differs) {
  Settings running = parsed(kOther);
  std::vector<std::string> changed, ignored;
  apply_reloadable(running, parsed(kOther), changed, ignored);
  LONGS_EQUAL(0, changed.size());
  LONGS_EQUAL(0, ignored.size());
  running.credentials[0].password = "x";
  apply_reloadable(running, parsed(kOther), changed, ignored);
  STRCMP_EQUAL("pua credential,", joined(changed).c_str());
}

TEST(ConfigReload, every_parameter_is_either_taken_over_or_named) {
  Settings running;
  std::vector<std::string> changed, ignored;
  apply_reloadable(running, parsed(kOther), changed, ignored);
  LONGS_EQUAL(settings_table().size(), changed.size() + ignored.size());
}
