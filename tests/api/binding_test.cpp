// The documented binding, counters, what is exported, and the program in examples/.
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

extern "C" size_t header_c_sizes(int which);
extern "C" int header_c_watcher(pua_t* pua, char* uri, int uri_len);
extern "C" int header_c_module(char* uri, int uri_len, char* document, int document_len);

namespace {

// build/<variant>: where this program was built.
std::filesystem::path build_dir() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path().parent_path();
}

std::set<std::string> declared_calls() {
  std::ifstream header("include/pua/pua.h");
  std::set<std::string> out;
  std::string line;
  while (std::getline(header, line)) {
    if (line.rfind("PUA_API ", 0) != 0) continue;
    size_t paren = line.find('(');
    size_t begin = paren;
    while (begin > 0 && (isalnum(static_cast<unsigned char>(line[begin - 1])) || line[begin - 1] == '_')) begin--;
    out.insert(line.substr(begin, paren - begin));
  }
  return out;
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* f = popen(command.c_str(), "r");
  char buf[4096];
  while (size_t n = fread(buf, 1, sizeof buf, f)) out.append(buf, n);
  pclose(f);
  return out;
}

}  // namespace

TEST_GROUP(ApiBinding) {
  Recorder got;  // outlives the instance: its end may call it
  Rig rig;
};

TEST(ApiBinding, c_sees_the_same_structures) {
  LONGS_EQUAL(sizeof(publ_info_t), header_c_sizes(0));
  LONGS_EQUAL(sizeof(subs_info_t), header_c_sizes(1));
  LONGS_EQUAL(sizeof(ua_pres_t), header_c_sizes(2));
  LONGS_EQUAL(7 * sizeof(void*), header_c_sizes(3));
  LONGS_EQUAL(offsetof(publ_info_t, cbparam), header_c_sizes(4));
  LONGS_EQUAL(offsetof(ua_pres_t, cb_param), header_c_sizes(5));
  LONGS_EQUAL(offsetof(subs_info_t, event_id), header_c_sizes(6));
  LONGS_EQUAL(sizeof(pua_notification_t), header_c_sizes(7));
  LONGS_EQUAL(sizeof(pua_notify_t), header_c_sizes(8));
}

TEST(ApiBinding, bind_pua_binds_the_default_instance) {
  pua_api_t api{};
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, bind_pua(nullptr));
  LONGS_EQUAL(PUA_E_NOT_FOUND, bind_pua(&api));
  CHECK(api.send_publish == nullptr);
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(PUA_OK, pua_set_default(rig.pua));
  LONGS_EQUAL(PUA_OK, bind_pua(&api));
  std::string address = "sip:alice@example.com", document = kDocument;
  pua_str_t uri = text(address), body = text(document);
  publ_info_t p{};
  p.pres_uri = &uri;
  p.body = &body;
  p.event = PRESENCE_EVENT;
  p.source_flag = UL_PUBLISH;
  p.expires = 600;
  p.cbrpl = Recorder::on_reply;
  p.cbparam = &got;
  LONGS_EQUAL(ERR_PUBLISH_NO_ERROR, api.send_publish(&p));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
  subs_info_t s{};
  ua_pres_t d{};
  pua_str_t* id = &uri;
  LONGS_EQUAL(1, api.register_puacb(UL_PUBLISH, [](ua_pres_t*, pua_reply_t*) { return 0; }, nullptr));
  LONGS_EQUAL(0, api.add_event(1 << 20, const_cast<char*>("x"), nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, api.send_subscribe(&s));
  d.pres_uri = &uri;
  LONGS_EQUAL(-1, api.is_dialog(&d));
  LONGS_EQUAL(0, api.get_record_id(&d, &id));
  POINTERS_EQUAL(nullptr, id);
  POINTERS_EQUAL(nullptr, api.get_subs_list(&uri));
  rig.stop();
  LONGS_EQUAL(PUA_E_NOT_FOUND, api.send_publish(&p));
  LONGS_EQUAL(PUA_E_NOT_FOUND, api.is_dialog(&d));
  POINTERS_EQUAL(nullptr, api.get_subs_list(&uri));
  CHECK(std::string(pua_last_error(nullptr)).find("default") != std::string::npos);
}

TEST(ApiBinding, a_module_in_c_ports_over) {
  std::string uri = "sip:alice@example.com", document = "hello";
  LONGS_EQUAL(1, header_c_module(uri.data(), 21, document.data(), 5));
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(PUA_OK, pua_set_default(rig.pua));
  LONGS_EQUAL(0, header_c_module(uri.data(), 21, document.data(), 5));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  STRCMP_EQUAL("c-event", rig.server->seen[0].header("Event").c_str());
  LONGS_EQUAL(PUA_OK, pua_set_default(nullptr));
  LONGS_EQUAL(1, header_c_module(uri.data(), 21, document.data(), 5));
}

TEST(ApiBinding, a_module_in_c_that_subscribes_ports_over) {
  std::string uri = "sip:alice@example.com";
  LONGS_EQUAL(1, header_c_watcher(rig.pua, uri.data(), 21));
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(PUA_OK, pua_set_default(rig.pua));
  LONGS_EQUAL(0, header_c_watcher(rig.pua, uri.data(), 21));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  STRCMP_EQUAL("presence", rig.server->seen[0].header("Event").c_str());
}

TEST(ApiBinding, counters_and_gauges_have_names_and_help) {
  LONGS_EQUAL(PUA_OK, rig.start());
  int n = pua_stats_get(rig.pua, nullptr, 0);
  CHECK(n > 30);
  std::vector<pua_stat_t> some(static_cast<size_t>(n), pua_stat_t{"untouched", "", 0, 0});
  LONGS_EQUAL(n, pua_stats_get(rig.pua, some.data(), 2));
  STRCMP_EQUAL("records", some[0].name);
  LONGS_EQUAL(1, some[0].is_gauge);
  CHECK(some[0].help[0] != 0);
  STRCMP_EQUAL("untouched", some[2].name);
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_stats_get(rig.pua, nullptr, 3));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_stats_get(rig.pua, some.data(), -1));
  LONGS_EQUAL(PUA_OK, rig.publish("sip:alice@example.com", kDocument, 600, &got));
  CHECK(rig.until([&] { return got.answers.size() == 1; }));
  LONGS_EQUAL(1, rig.stat("accepted"));
  LONGS_EQUAL(1, rig.stat("completed"));
  LONGS_EQUAL(1, rig.stat("replies_2xx"));
  LONGS_EQUAL(1, rig.stat("live"));
  CHECK(rig.stat("store_rows_written") >= 1);
  LONGS_EQUAL(ERR_PUBLISH_NO_RECORD, rig.publish("sip:bob@example.com", nullptr, 0, &got));
  LONGS_EQUAL(1, rig.stat("rejected"));
}

TEST(ApiBinding, the_log_level_is_asked_and_set) {
  LONGS_EQUAL(PUA_OK, rig.start());
  LONGS_EQUAL(PUA_LOG_NOTICE, pua_log_level(rig.pua, PUA_LOG_DEBUG));
  LONGS_EQUAL(PUA_LOG_DEBUG, pua_log_level(rig.pua, -1));
  LONGS_EQUAL(PUA_LOG_DEBUG, pua_log_level(rig.pua, PUA_LOG_ERROR));
  LONGS_EQUAL(PUA_LOG_ERROR, pua_log_level(rig.pua, 99));
}

TEST(ApiBinding, every_code_has_a_text) {
  for (int code : {0, -1, -9, -10, -20, -21, -22, -23, -24, -25, -26, -27, -28, -29, -30, -31, -32, -33, -34, -35, -36, 418})
    CHECK(std::string(pua_strerror(code)) != pua_strerror(-9999));
  STRCMP_EQUAL("unknown error", pua_strerror(12345));
  STRCMP_EQUAL(PUA_VERSION_STRING, pua_version());
}

TEST(ApiBinding, the_shared_library_exports_the_header_and_nothing_else) {
  std::set<std::string> wanted = declared_calls(), exported;
  CHECK(wanted.size() > 40);
  std::istringstream lines(output_of("nm -D --defined-only " + (build_dir() / "libpua.so").string()));
  std::string address, kind, name;
  while (lines >> address >> kind >> name) {
    name = name.substr(0, name.find('@'));
    if (kind != "A") exported.insert(name);  // A: the version node
  }
  for (const std::string& s : wanted) CHECK_TEXT(exported.count(s), ("not exported: " + s).c_str());
  for (const std::string& s : exported) CHECK_TEXT(wanted.count(s), ("not in the header: " + s).c_str());
}

TEST(ApiBinding, the_example_publishes_and_removes) {
  std::ofstream(rig.dir.path("conf")) << "modparam(\"pua\", \"db_url\", \"memory:\")\n"
                                      << "modparam(\"pua\", \"sip_listen\", \"sip:127.0.0.1:*\")\n"
                                      << "modparam(\"pua\", \"outbound_proxy\", \"" << rig.server->uri() << "\")\n";
  std::ofstream(rig.dir.path("body")) << kDocument;
  std::string program = (build_dir() / "examples/publish").string(), conf = rig.dir.path("conf"), body = rig.dir.path("body"),
              out = rig.dir.path("out");
  pid_t child = fork();
  if (child == 0) {
    if (!freopen(out.c_str(), "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(9);
    execl(program.c_str(), program.c_str(), conf.c_str(), "sip:alice@example.com", body.c_str(), nullptr);
    _exit(9);
  }
  int status = -1;
  CHECK(rig.until([&] { return waitpid(child, &status, WNOHANG) == child; }, 10000));
  LONGS_EQUAL(0, status);
  LONGS_EQUAL(2, rig.server->seen.size());
  STRCMP_EQUAL("0", rig.server->seen[1].header("Expires").c_str());
  std::stringstream printed;
  printed << std::ifstream(out).rdbuf();
  CHECK_TEXT(printed.str().find("published: 200 OK, entity-tag etag1, 3600 s\n") == 0, printed.str().c_str());
  CHECK_TEXT(printed.str().find("removed: 200 OK\n") != std::string::npos, printed.str().c_str());
}
