// The config file: what is taken, and the exact message and place of every kind of mistake.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "config/checks.h"
#include "config/parser.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {

std::vector<std::string> warnings;

Settings good(const std::string& text) {
  auto r = parse_config(text, "t.conf", warnings);
  if (!r) FAIL(r.error().message.c_str());
  return *r;
}

void refused(const std::string& text, const std::string& message) {
  auto r = parse_config(text, "t.conf", warnings);
  CHECK_TEXT(!r.ok(), ("not refused: " + text).c_str());
  STRCMP_EQUAL(message.c_str(), r.error().message.c_str());
  CHECK(r.code() == Errc::bad_config);
}

std::string set(const std::string& name, const std::string& value, const std::string& module = "pua") {
  return "modparam(\"" + module + "\", \"" + name + "\", " + value + ")\n";
}

}  // namespace

// An address that requests can leave from over TLS.
static const std::string kTls = "modparam(\"pua\", \"tls_dir\", \"/tls\")\nmodparam(\"pua\", \"sip_listen\", \"sips:192.0.2.99:5061\")\n";

TEST_GROUP(ConfigParser) {
  void setup() override { warnings.clear(); }
  void teardown() override { warnings = {}; }
};

TEST(ConfigParser, an_empty_file_gives_the_defaults) {
  Settings s = good("");
  LONGS_EQUAL(9, s.hash_size);
  STRCMP_EQUAL("mysql://opensips:opensipsrw@localhost/opensips", s.db_url.c_str());
  STRCMP_EQUAL("pua", s.db_table.c_str());
  LONGS_EQUAL(300, s.min_expires);
  STRCMP_EQUAL("86400", s.max_expires.c_str());
  LONGS_EQUAL(3600, s.default_expires);
  LONGS_EQUAL(30, s.update_period);
  LONGS_EQUAL(0, s.cluster_id);
  LONGS_EQUAL(0, warnings.size());
}

TEST(ConfigParser, values_of_every_type_are_taken) {
  Settings s = good(set("hash_size", "0x10") + set("min_expires", "60") + set("max_expires", "7200") + set("max_body", "\"32K\"") +
                    set("max_headers", "1000") + set("tls_verify", "0") + set("unpublish_on_shutdown", "\"yes\"") +
                    set("fifo_mode", "0600", "pua_mi") + set("sip_listen", "\"sip:127.0.0.1:5070\"") +
                    set("sip_listen", "\"sip:[::1]:5070;transport=tcp\"") + set("credential", "\"*:u:p:w\"") +
                    set("db_url", "\"sqlite:///tmp/a \\\"b\\\\.db\"") + set("log_level", "\"debug\"", "puad"));
  LONGS_EQUAL(16, s.hash_size);
  LONGS_EQUAL(60, s.min_expires);
  STRCMP_EQUAL("7200", s.max_expires.c_str());
  LONGS_EQUAL(32768, s.max_body);
  LONGS_EQUAL(1000, s.max_headers);
  CHECK_FALSE(s.tls_verify);
  CHECK_TRUE(s.unpublish_on_shutdown);
  LONGS_EQUAL(0600, s.fifo_mode);
  LONGS_EQUAL(2, s.sip_listen.size());
  STRCMP_EQUAL("sip:[::1]:5070;transport=tcp", s.sip_listen[1].c_str());
  LONGS_EQUAL(1, s.credentials.size());
  STRCMP_EQUAL("*", s.credentials[0].realm.c_str());
  STRCMP_EQUAL("u", s.credentials[0].user.c_str());
  STRCMP_EQUAL("p:w", s.credentials[0].password.c_str());
  STRCMP_EQUAL("sqlite:///tmp/a \"b\\.db", s.db_url.c_str());
  STRCMP_EQUAL("debug", s.log_level.c_str());
}

TEST(ConfigParser, comments_and_white_space_stand_anywhere) {
  Settings s = good("\xef\xbb\xbf# modparam(\"pua\", \"hash_size\", 3)\r\n// x\n/* a\n * b */ modparam /**/ (\t\"pua\"\n,\"hash_size\"// c\n,4)\t"
                    "modparam(\"pua\",\"db_table\",\"b\") # end");
  LONGS_EQUAL(4, s.hash_size);
  STRCMP_EQUAL("b", s.db_table.c_str());
}

TEST(ConfigParser, a_comment_mark_in_a_string_is_text) {
  refused(set("db_table", "\"a//b\""), "t.conf:1:29: parameter \"db_table\" is \"a//b\", not a name of letters, digits and underscores (60 at most)");
  STRCMP_EQUAL("x # y // z", good(set("user_agent", "\"x # y // z\"")).user_agent.c_str());
}

TEST(ConfigParser, an_unknown_module_is_refused_with_the_nearest_name) {
  refused("\n  modparam(\"pau\", \"hash_size\", 9)", "t.conf:2:12: unknown module \"pau\" (did you mean \"pua\"?)");
  refused("modparam(\"tm\", \"x\", 9)", "t.conf:1:10: unknown module \"tm\"");
  refused("modparam(\"presence_server\", \"x\", 9)", "t.conf:1:10: unknown module \"presence_server\"");
}

TEST(ConfigParser, an_unknown_name_is_refused_with_the_nearest_name_or_its_module) {
  refused(set("hash_sise", "9"), "t.conf:1:17: module \"pua\" has no parameter \"hash_sise\" (did you mean \"hash_size\"?)");
  refused(set("log_level", "\"info\""), "t.conf:1:17: module \"pua\" has no parameter \"log_level\" (it belongs to module \"puad\")");
  refused(set("q", "9"), "t.conf:1:17: module \"pua\" has no parameter \"q\"");
  refused(set("\\n\xc3\xa9", "9"), "t.conf:1:17: module \"pua\" has no parameter \"???\"");
}

TEST(ConfigParser, a_wrong_type_is_refused) {
  refused(set("hash_size", "\"9\""), "t.conf:1:30: parameter \"hash_size\" takes an integer, not a string");
  refused(set("db_table", "9"), "t.conf:1:29: parameter \"db_table\" takes a string, not an integer");
  refused(set("sip_listen", "5060"), "t.conf:1:31: parameter \"sip_listen\" takes a string, not an integer");
  refused(set("tls_verify", "2"), "t.conf:1:31: parameter \"tls_verify\" takes 0, 1, \"no\" or \"yes\", not 2");
  refused(set("tls_verify", "\"on\""), "t.conf:1:31: parameter \"tls_verify\" takes 0, 1, \"no\" or \"yes\", not \"on\"");
  refused(set("max_body", "\"16KB\""), "t.conf:1:29: parameter \"max_body\" takes a number of octets or a string like \"16K\", not \"16KB\"");
  refused(set("hash_size", "on"), "t.conf:1:30: expected a value, an integer or a string in double quotes, found \"on\"");
}

TEST(ConfigParser, an_out_of_range_value_is_refused_with_the_range) {
  refused(set("hash_size", "25"), "t.conf:1:30: parameter \"hash_size\" is 25, out of range: 1 to 24");
  refused(set("update_period", "0"), "t.conf:1:34: parameter \"update_period\" is 0, out of range: 1 to 3600 s");
  refused(set("min_expires", "-1"), "t.conf:1:32: parameter \"min_expires\" is -1, out of range: 0 to 31536000 s");
  refused(set("max_expires", "0"), "t.conf:1:32: parameter \"max_expires\" is 0, out of range: 1 to 31536000 s");
  refused(set("max_body", "\"2M\""), "t.conf:1:29: parameter \"max_body\" is 2097152, out of range: 256 to 1048576 octets");
  refused(set("fifo_mode", "01777", "pua_mi"), "t.conf:1:33: parameter \"fifo_mode\" is 01777, out of range: 00 to 0777");
  refused(set("log_level", "\"loud\"", "puad"),
          "t.conf:1:31: parameter \"log_level\" is \"loud\", not one of: error, warning, notice, info, debug");
  LONGS_EQUAL(1, good(set("hash_size", "1")).hash_size);
  LONGS_EQUAL(24, good(set("hash_size", "24")).hash_size);
  LONGS_EQUAL(1, good(set("update_period", "1")).update_period);
}

TEST(ConfigParser, octal_numbers_are_for_file_modes_only) {
  refused(set("update_period", "030"),
          "t.conf:1:34: parameter \"update_period\" is no file mode: a number must not begin with 0 (that would be octal)");
  refused(set("fifo_mode", "0680", "pua_mi"), "t.conf:1:35: '8' in a number");
}

// 440 would be 0670: who writes it means 0440, and would have let others write.
TEST(ConfigParser, a_file_mode_without_its_0_is_refused) {
  refused(set("fifo_mode", "660", "pua_mi"),
          "t.conf:1:33: parameter \"fifo_mode\" is 660: a file mode is octal, and begins with 0: write 0660");
  refused(set("fifo_mode", "440", "pua_mi"),
          "t.conf:1:33: parameter \"fifo_mode\" is 440: a file mode is octal, and begins with 0: write 0440");
  refused(set("fifo_mode", "480", "pua_mi"), "t.conf:1:33: parameter \"fifo_mode\" is 480: a file mode is octal, and begins with 0");
  LONGS_EQUAL(0440, good(set("fifo_mode", "0440", "pua_mi")).fifo_mode);
  LONGS_EQUAL(0, good(set("fifo_mode", "0", "pua_mi")).fifo_mode);
}

// What only other parts of the program can judge is told without a place; the parameter that it names has one.
TEST(ConfigParser, a_fault_found_later_gets_the_place_of_the_parameter_that_it_names) {
  ConfigPlaces places;
  std::string text = "\n" + set("cluster_id", "1") + set("max_expires", "\"dialg=3600\"") + set("listen", "\"sip:h\"") +
                     set("listen", "\"sip:h:5080\"");
  CHECK(parse_config(text, "t.conf", warnings, &places).ok());
  STRCMP_EQUAL("t.conf:3:32: parameter \"max_expires\" names the unknown event \"dialg\", cluster_id",
               with_place(places, "t.conf", "parameter \"max_expires\" names the unknown event \"dialg\", cluster_id").c_str());
  STRCMP_EQUAL("t.conf:2:31: cluster_id is 1", with_place(places, "t.conf", "cluster_id is 1").c_str());
  STRCMP_EQUAL("t.conf: db_url: a % is not followed", with_place(places, "t.conf", "db_url: a % is not followed").c_str());
  STRCMP_EQUAL("t.conf: listen is wrong", with_place(places, "t.conf", "listen is wrong").c_str());   // one of two
}

TEST(ConfigParser, unterminated_strings_and_comments_are_refused_where_they_begin) {
  refused("modparam(\"pua\", \"db_table\", \"pua)\n", "t.conf:1:29: unterminated string");
  refused("modparam(\"pua", "t.conf:1:10: unterminated string");
  refused("modparam(\"pua\\", "t.conf:1:10: unterminated string");
  refused("# ok\n  /* never\nending *", "t.conf:2:3: unterminated comment");
  refused("/*/", "t.conf:1:1: unterminated comment");
}

TEST(ConfigParser, junk_is_refused_where_it_stands) {
  refused("loadmodule \"pua.so\"\n", "t.conf:1:1: unexpected \"loadmodule\": only modparam(\"module\", \"name\", value) stands in this file");
  refused(set("hash_size", "9") + ";", "t.conf:2:1: unexpected ';'");
  refused("modparam(\"pua\", \"hash_size\", 9);", "t.conf:1:32: unexpected ';'");
  refused("modparam \"pua\"", "t.conf:1:10: expected '(' after modparam, found string");
  refused("modparam(pua)", "t.conf:1:10: expected the module's name in double quotes, found \"pua\"");
  refused("modparam(\"pua\" \"hash_size\")", "t.conf:1:16: expected ',' after the module's name, found string");
  refused("modparam(\"pua\", 3)", "t.conf:1:17: expected the parameter's name in double quotes, found number");
  refused("modparam(\"pua\", \"hash_size\")", "t.conf:1:28: expected ',' after the parameter's name, found ')'");
  refused("modparam(\"pua\", \"hash_size\", )", "t.conf:1:30: expected a value, an integer or a string in double quotes, found ')'");
  refused("modparam(\"pua\", \"hash_size\", 9\n", "t.conf:2:1: expected ')' after the value, found end of file");
  refused("modparam(\"pua\", \"hash_size\", 9 9)", "t.conf:1:32: expected ')' after the value, found number");
  refused("modparam('pua', 'hash_size', 9)", "t.conf:1:10: strings stand in double quotes");
  refused(std::string("modparam\0(", 10), "t.conf:1:9: unexpected octet 0x00");
  refused("\xff", "t.conf:1:1: unexpected octet 0xff");
}

TEST(ConfigParser, broken_numbers_and_escapes_are_refused) {
  refused(set("hash_size", "9x"), "t.conf:1:31: 'x' in a number");
  refused(set("hash_size", "0xg"), "t.conf:1:32: 'g' in a number");
  refused(set("hash_size", "0x"), "t.conf:1:30: a number without digits");
  refused(set("hash_size", "-"), "t.conf:1:30: a number without digits");
  refused(set("hash_size", "99999999999999999999"), "t.conf:1:30: number too large");
  refused(set("db_table", "\"a\\q\""), "t.conf:1:31: unknown escape: a backslash and 'q'; known are \\\" \\\\ \\n \\r \\t");
}

TEST(ConfigParser, columns_count_characters_not_octets) {
  refused("/* \xc3\xa9\xe2\x82\xac */ x", "t.conf:1:10: unexpected \"x\": only modparam(\"module\", \"name\", value) stands in this file");
}

TEST(ConfigParser, a_second_value_is_refused_and_the_first_place_is_named) {
  refused(set("hash_size", "9") + "\n" + set("hash_size", "9"), "t.conf:3:17: parameter \"hash_size\" is already set at t.conf:1:30");
}

TEST(ConfigParser, control_characters_and_bad_utf8_in_values_are_refused) {
  refused(set("user_agent", "\"a\\r\\nX: y\""), "t.conf:1:31: parameter \"user_agent\" must not hold control characters");
  refused(set("outbound_proxy", std::string("\"sip:a\0b\"", 9)), "t.conf:1:35: parameter \"outbound_proxy\" must not hold control characters");
  refused(set("user_agent", "\"a\xc2\x9b" "31m\""), "t.conf:1:31: parameter \"user_agent\" must not hold control characters");
  refused(set("user_agent", "\"a\xe2\x80\xae\""), "t.conf:1:31: parameter \"user_agent\" must not hold control characters");
  refused(set("user_agent", "\"\xc3(\""), "t.conf:1:31: parameter \"user_agent\" is not valid UTF-8");
  refused(set("user_agent", "\"\xed\xa0\x80\""), "t.conf:1:31: parameter \"user_agent\" is not valid UTF-8");
  STRCMP_EQUAL("\xf0\x9f\x98\x80", good(set("user_agent", "\"\xf0\x9f\x98\x80\"")).user_agent.c_str());
}

TEST(ConfigParser, urls_paths_and_names_are_checked) {
  refused(set("db_url", "\"postgres://u:secret@h/d\""),
          "t.conf:1:27: parameter \"db_url\" is none of sqlite:///path, mysql://user:password@host/database and memory:");
  refused(set("db_url", "\"sqlite://pua.db\""), "t.conf:1:27: parameter \"db_url\" is not of the form \"sqlite:///path\" with an absolute path");
  refused(set("db_url", "\"mysql://u:p@h\""), "t.conf:1:27: parameter \"db_url\" is not of the form \"mysql://user:password@host/database\"");
  refused(set("outbound_proxy", "\"h.example.com\""), "t.conf:1:35: parameter \"outbound_proxy\" is \"h.example.com\", not a sip: or sips: URI");
  refused(set("outbound_proxy", "\"sip:a b\""), "t.conf:1:35: parameter \"outbound_proxy\" is \"sip:a b\", not a sip: or sips: URI");
  refused(set("sip_listen", "\"sip:me@h\""),
          "t.conf:1:31: parameter \"sip_listen\" is \"sip:me@h\", not an address like \"sip:192.0.2.1:5070;transport=udp\"");
  refused(set("pid_file", "\"puad.pid\"", "puad"), "t.conf:1:30: parameter \"pid_file\" is \"puad.pid\", not an absolute path");
  refused(set("dgram_socket", "\"/" + std::string(107, 'x') + "\"", "pua_mi"),
          "t.conf:1:36: parameter \"dgram_socket\" is too long for a unix socket (107 octets at most)");
  refused(set("db_table", "\"pua; drop\""), "t.conf:1:29: parameter \"db_table\" is \"pua; drop\", not a name of letters, digits and underscores (60 at most)");
  STRCMP_EQUAL("memory:", good(set("db_url", "\"memory:\"")).db_url.c_str());
  STRCMP_EQUAL("SIPS:h", good(set("outbound_proxy", "\"SIPS:h\"") + kTls).outbound_proxy.c_str());
}

TEST(ConfigParser, a_contact_is_an_address_for_notifies) {
  STRCMP_EQUAL("", good(set("contact", "\"\"")).contact.c_str());
  for (const char* c : {"sip:192.0.2.1", "sips:pua@h.example.com:5081", "sip:a;b@[2001:db8::1]:5080;transport=tcp"})
    STRCMP_EQUAL(c, good(set("contact", std::string("\"") + c + "\"")).contact.c_str());
  for (const char* c : {"sip:pua@", "sip:pua@:5080", "sip:@;transport=tcp", "sip:h?Subject=x"})
    refused(set("contact", std::string("\"") + c + "\""), std::string("t.conf:1:28: parameter \"contact\" is \"") + c +
                                                             "\", not an address like \"sip:pua@192.0.2.1:5080\"");
  refused(set("contact", "\"pua@h\""), "t.conf:1:28: parameter \"contact\" is \"pua@h\", not a sip: or sips: URI");
}

TEST(ConfigParser, notifies_are_taken_at_an_address_of_their_own) {
  auto both = [](const std::string& sip_listen, const std::string& listen) {
    return set("sip_listen", "\"" + sip_listen + "\"") + set("listen", "\"" + listen + "\"");
  };
  LONGS_EQUAL(1, good(set("listen", "\"sip:192.0.2.1:5070\"")).listen.size());
  good(both("sip:192.0.2.1:5070", "sip:192.0.2.1:5080"));
  good(both("sip:192.0.2.1:5070", "sip:192.0.2.2:5070"));
  good(both("sip:192.0.2.1:5070;transport=udp", "sip:192.0.2.1:5070;transport=tcp"));
  good(both("sip:192.0.2.1:*", "sip:192.0.2.1:*"));
  good(both("sip:192.0.2.1", "sips:192.0.2.1") + set("tls_dir", "\"/etc/pua/tls\""));
  good(both("sip:0.0.0.0:5070", "sip:[::]:5070"));      // an IPv6 socket takes no IPv4
  good(set("sip_listen", "\"sip:h:5070\"") + set("sip_listen", "\"sip:h:5070;transport=tcp\""));
  good(both("sip:[::1]:5070", "sip:127.0.0.1:5070"));
  refused(both("sip:192.0.2.1:5070", "sip:192.0.2.1:5070"),
          "t.conf:2:27: listen is \"sip:192.0.2.1:5070\", an address that sip_listen has: \"sip:192.0.2.1:5070\"");
  for (auto [sip_listen, listen] : {std::pair("sip:192.0.2.1", "sip:192.0.2.1:5060;transport=tcp"),
                                    {"sip:0.0.0.0:5070", "sip:192.0.2.1:5070"},
                                    {"sip:192.0.2.1:5070", "sip:*:5070"},
                                    {"SIP:H.example.com:5070", "sip:h.EXAMPLE.com:5070;transport=UDP"},
                                    {"sip:[::]:5070", "sip:[2001:db8::1]:5070"},
                                    {"sips:[2001:db8::1]", "sips:[2001:db8::1]:5061;transport=tls"}})
    refused(both(sip_listen, listen) + set("tls_dir", "\"/etc/pua/tls\""), std::string("t.conf:2:27: listen is \"") + listen +
                                          "\", an address that sip_listen has: \"" + sip_listen + "\"");
  refused(set("listen", "\"sip:h:5070\"") + set("listen", "\"sip:h:5070;transport=tcp\""),
          "t.conf:1:27: listen is \"sip:h:5070;transport=tcp\", an address that it has already: \"sip:h:5070\"");
  refused(set("listen", "\"sip:me@h\""),
          "t.conf:1:27: parameter \"listen\" is \"sip:me@h\", not an address like \"sip:192.0.2.1:5070;transport=udp\"");
  refused(set("sip_listen", "\"sip:h\"") + set("sip_listen", "\"sip:H:5060;transport=udp\""),
          "t.conf:1:31: sip_listen is \"sip:H:5060;transport=udp\", an address that it has already: \"sip:h\"");
  for (const char* name : {"listen", "sip_listen"})
    refused(set(name, "\"sips:h\""), std::string(name == std::string("listen") ? "t.conf:1:27: " : "t.conf:1:31: ") + name + " is \"sips:h\", and there is no tls_dir");
}

// What no socket can be bound to, or no request sent to, is known before it is tried.
TEST(ConfigParser, addresses_and_next_hops_have_a_host_a_port_and_a_transport) {
  const char* const host = "its host is not a valid one, or more than a port and parameters stands behind it";
  struct { const char *uri, *bound, *hop; } cases[] = {
      {"sip:h:99999", "its port is not 1 to 65535 or *", "its port is not 1 to 65535"},
      {"sip:h:0", "its port is not 1 to 65535 or *", "its port is not 1 to 65535"},
      {"sip:h:5060x", "its port is not 1 to 65535 or *", "its port is not 1 to 65535"},
      {"sip:h:", host, host},
      {"sip:::1:5070", host, host},
      {"sip:[::1:5070", host, host},
      {"sip:[::g]", host, host},
      {"sip:[fe80::1%eth0]", host, host},
      {"sip:[::1]5070", host, host},
      {"sip:h%20x", host, host},
      {"sip:h?x=y", host, host},
      {"sip:;transport=udp", host, host},
      {"sip:h;transport=sctp", "its transport is neither udp nor tcp; TLS is a sips: URI", "its transport is none of udp, tcp and tls"},
      {"sip:h;transport=tls", "its transport is neither udp nor tcp; TLS is a sips: URI", nullptr},
      {"sips:h;transport=udp", "a sips: URI has no transport but TLS", "a sips: URI has no transport but TLS"},
      {"sips:h;transport=TCP", nullptr, nullptr},
      {"sip:*:*", nullptr, host},
      {"sip:h:*", nullptr, "its port is not 1 to 65535"},
      {"sip:h_1.example.com.:5060;lr;Transport=UDP", nullptr, nullptr},
      {"sip:[2001:db8::1]:65535", nullptr, nullptr},
  };
  for (auto& c : cases) {
    std::string value = std::string("\"") + c.uri + "\"";
    auto check = [&](const char* name, const char* module, const char* place, const char* wrong) {
      bool hop = std::string(module) == "pua_mi" || std::string(name) == "outbound_proxy";
      std::string text = set(name, value, module) + (hop ? kTls : set("tls_dir", "\"/tls\""));
      if (wrong) refused(text, std::string("t.conf:1:") + place + ": parameter \"" + name + "\" is " + value + ": " + wrong);
      else good(text);
    };
    check("listen", "pua", "27", c.bound);
    check("sip_listen", "pua", "31", c.bound);
    check("outbound_proxy", "pua", "35", c.hop);
    check("presence_server", "pua_mi", "39", c.hop);
  }
}

TEST(ConfigParser, a_next_hop_over_tls_needs_an_address_to_leave_from) {
  for (const char* uri : {"sips:h", "sip:h;transport=tls"}) {
    std::string said = std::string(" is \"") + uri + "\", which is reached over TLS, and no address of sip_listen is a sips: one";
    refused(set("outbound_proxy", std::string("\"") + uri + "\"") + set("tls_dir", "\"/tls\""), "t.conf:1:35: outbound_proxy" + said);
    refused(set("presence_server", std::string("\"") + uri + "\"", "pua_mi"), "t.conf:1:39: presence_server" + said);
    good(set("outbound_proxy", std::string("\"") + uri + "\"") + kTls);
  }
}

TEST(ConfigParser, http_is_listened_for_at_an_address_with_a_port) {
  STRCMP_EQUAL("", good("").http_listen.c_str());
  for (const char* a : {"", "127.0.0.1:8088", "0.0.0.0:1", "[::1]:65535", "[2001:db8::1]:8088"})
    STRCMP_EQUAL(a, good(set("http_listen", std::string("\"") + a + "\"", "pua_mi")).http_listen.c_str());
  for (const char* a : {"8088", ":8088", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http",
                        "localhost:8088", "::1:8088", "[::1]", "[127.0.0.1]:8088", "127.0.0.1:8088 ", "1.2.3:8088", "http://127.0.0.1:8088"})
    refused(set("http_listen", std::string("\"") + a + "\"", "pua_mi"),
            std::string("t.conf:1:35: parameter \"http_listen\" is \"") + a +
                "\", not an address with a port like \"127.0.0.1:8088\" or \"[::1]:8088\"");
}

TEST(ConfigParser, a_broken_credential_is_refused_without_showing_it) {
  for (const char* c : {"\"secret\"", "\"realm:secret\"", "\":u:secret\"", "\"r::secret\""}) {
    refused(set("credential", c), "t.conf:1:31: parameter \"credential\" is not of the form \"realm:user:password\"");
  }
}

TEST(ConfigParser, long_values_are_cut_in_messages) {
  refused(set("pid_file", "\"" + std::string(5000, 'x') + "\"", "puad"),
          "t.conf:1:30: parameter \"pid_file\" is \"" + std::string(57, 'x') + "...\", not an absolute path");
}

TEST(ConfigParser, max_expires_takes_bounds_of_single_events) {
  STRCMP_EQUAL("3600,dialog=600", good(set("max_expires", "\"3600,dialog=600\"")).max_expires.c_str());
  auto m = parse_max_expires("dialog;sla=600, 3600 ,presence.winfo=700");
  CHECK(m.ok());
  LONGS_EQUAL(3600, m->all);
  LONGS_EQUAL(2, m->by_event.size());
  STRCMP_EQUAL("dialog;sla", m->by_event[0].first.c_str());
  LONGS_EQUAL(600, m->by_event[0].second);
  STRCMP_EQUAL("presence.winfo", m->by_event[1].first.c_str());
  LONGS_EQUAL(86400, parse_max_expires("dialog=600")->all);
  auto wrong = [](const char* value, const char* what) {
    refused(set("max_expires", "\"" + std::string(value) + "\""), std::string("t.conf:1:32: parameter \"max_expires\" ") + what);
  };
  wrong("", "has a part \"\" that is neither seconds nor event=seconds");
  wrong("3600,", "has a part \"\" that is neither seconds nor event=seconds");
  wrong("1h", "has a part \"1h\" that is neither seconds nor event=seconds");
  wrong("=5", "has a part \"=5\" that is neither seconds nor event=seconds");
  wrong("dialog=0", "has a part \"dialog=0\" out of range: 1 to 31536000 s");
  wrong("3600,7200", "gives the bound of all events twice");
  wrong("dialog=600,dialog=700", "gives the bound of event \"dialog\" twice");
  wrong("a b=600", "has a part \"a b=600\" with a bad event name");
}

TEST(ConfigParser, bounds_that_contradict_each_other_are_refused) {
  refused(set("min_expires", "700") + set("max_expires", "600"), "t.conf:2:32: max_expires is 600 s, below min_expires, 700 s");
  refused(set("max_expires", "60"), "t.conf:1:32: max_expires is 60 s, below min_expires, 300 s if not set");
  refused(set("min_expires", "90000"), "t.conf:1:32: max_expires is 86400 s, below min_expires, 90000 s");
  refused(set("max_expires", "\"dialog=200\""), "t.conf:1:32: max_expires of event \"dialog\" is 200 s, below min_expires, 300 s if not set");
  refused(set("default_expires", "200"), "t.conf:1:36: default_expires is 200 s, not between min_expires and max_expires, 300 and 86400 s");
  refused(set("default_expires", "2000") + set("max_expires", "1800"),
          "t.conf:1:36: default_expires is 2000 s, not between min_expires and max_expires, 300 and 1800 s");
}

TEST(ConfigParser, default_expires_follows_the_bounds_if_it_is_not_set) {
  LONGS_EQUAL(30, good(set("min_expires", "5") + set("max_expires", "30")).default_expires);
  LONGS_EQUAL(7200, good(set("min_expires", "7200")).default_expires);
  LONGS_EQUAL(3600, good(set("min_expires", "0")).default_expires);
}

TEST(ConfigParser, a_sharing_tag_without_cluster_gets_a_warning) {
  good(set("cluster_sharing_tag", "\"vip\""));
  LONGS_EQUAL(1, warnings.size());
  STRCMP_EQUAL("t.conf:1:40: cluster_sharing_tag has no effect without cluster_id", warnings[0].c_str());
  good(set("cluster_sharing_tag", "\"vip\"") + set("cluster_id", "1"));
  LONGS_EQUAL(1, warnings.size());
}

TEST(ConfigParser, a_text_over_the_size_limit_is_refused) {
  good(std::string(kMaxConfigSize, ' '));
  refused(std::string(kMaxConfigSize + 1, ' '), "t.conf: longer than 1048576 octets");
}

TEST_GROUP(ConfigFile) {
  std::string dir, path;
  void setup() override {
    warnings.clear();
    char t[] = "/tmp/pua-config-XXXXXX";
    dir = mkdtemp(t);
    path = dir + "/pua.conf";
  }
  void teardown() override {
    unlink(path.c_str());
    rmdir(dir.c_str());
    warnings = {};
    dir = path = {};
  }
  void write(const std::string& text, mode_t mode) {
    int fd = open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    LONGS_EQUAL(text.size(), ::write(fd, text.data(), text.size()));
    fchmod(fd, mode);
    close(fd);
  }
};

TEST(ConfigFile, a_private_file_is_loaded_without_warning) {
  write(set("hash_size", "5"), 0640);
  auto r = load_config(path, warnings);
  CHECK(r.ok());
  LONGS_EQUAL(5, r->hash_size);
  LONGS_EQUAL(0, warnings.size());
}

TEST(ConfigFile, a_file_that_others_can_read_gets_a_warning) {
  for (const std::string& secret : {set("credential", "\"r:u:p\""), set("db_url", "\"mysql://u:p@h/d\""), set("outbound_proxy", "\"sip:u:p@h\"")}) {
    write(secret, 0644);
    warnings.clear();
    CHECK(load_config(path, warnings).ok());
    LONGS_EQUAL(1, warnings.size());
    STRCMP_EQUAL((path + ": others can read this file (mode 0644), which holds a password: chmod 640 or 600").c_str(), warnings[0].c_str());
  }
}

TEST(ConfigFile, one_without_a_password_may_be_read_by_all) {
  for (const std::string& text : {std::string(), set("db_url", "\"mysql://u@h/d\""), set("outbound_proxy", "\"sip:u@h:5060\"")}) {
    write(text, 0644);
    CHECK(load_config(path, warnings).ok());
    LONGS_EQUAL(0, warnings.size());
  }
}

TEST(ConfigFile, errors_name_the_file) {
  write("x", 0600);
  auto r = load_config(path, warnings);
  CHECK_FALSE(r.ok());
  STRCMP_EQUAL((path + ":1:1: unexpected \"x\": only modparam(\"module\", \"name\", value) stands in this file").c_str(), r.error().message.c_str());
}

TEST(ConfigFile, a_missing_file_a_folder_a_fifo_and_a_huge_file_are_refused) {
  auto refuses = [&](const std::string& what) {
    auto r = load_config(path, warnings);
    CHECK_FALSE(r.ok());
    STRCMP_EQUAL((path + ": " + what).c_str(), r.error().message.c_str());
  };
  refuses("No such file or directory");
  mkdir(path.c_str(), 0700);
  refuses("not a regular file");
  rmdir(path.c_str());
  mkfifo(path.c_str(), 0600);
  refuses("not a regular file");
  unlink(path.c_str());
  write(std::string(kMaxConfigSize + 1, '\n'), 0600);
  refuses("longer than 1048576 octets");
}
