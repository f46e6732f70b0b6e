#include "tests/api/rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

namespace pua::test {

const char* const kDocument =
    "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:alice@example.com\">"
    "<tuple id=\"t1\"><status><basic>open</basic></status></tuple></presence>";

pua_str_t text(const std::string& s) { return {const_cast<char*>(s.data()), static_cast<int>(s.size())}; }

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "pua-api-XXXXXX").string();
  if (!mkdtemp(name.data())) abort();
  dir_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

std::string SipText::header(const std::string& name) const {
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find("\r\n", at);
    if (end == std::string::npos || end == at) break;
    std::string line = text.substr(at, end - at);
    at = end + 2;
    if (line.size() > name.size() && line[name.size()] == ':' && strncasecmp(line.c_str(), name.c_str(), name.size()) == 0) {
      size_t value = line.find_first_not_of(" \t", name.size() + 1);
      return value == std::string::npos ? "" : line.substr(value);
    }
  }
  return "";
}

Responder::Responder(event_base* base) {
  fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof at;
  if (bind(fd_, reinterpret_cast<sockaddr*>(&at), len) != 0 || getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &len) != 0)
    abort();
  port_ = ntohs(at.sin_port);
  ready_ = event_new(base, fd_, EV_READ | EV_PERSIST, [](int fd, short, void* self) {
    char buf[65536];
    sockaddr_storage from{};
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(fd, buf, sizeof buf, 0, reinterpret_cast<sockaddr*>(&from), &from_len);
    if (n > 0)
      static_cast<Responder*>(self)->answer(std::string(buf, static_cast<size_t>(n)), reinterpret_cast<sockaddr*>(&from),
                                            from_len);
  }, this);
  event_add(ready_, nullptr);
}

Responder::~Responder() {
  event_free(ready_);
  close(fd_);
}

std::string Responder::uri() const { return "sip:127.0.0.1:" + std::to_string(port_); }

void Responder::answer(const std::string& datagram, const sockaddr* to, unsigned to_len) {
  SipText in;
  in.text = datagram;
  if (size_t end = datagram.find("\r\n\r\n"); end != std::string::npos) in.body = datagram.substr(end + 4);
  std::string via = in.header("Via");
  if (via == last_branch_) return;
  last_branch_ = via;
  seen.push_back(in);
  if (silent) return;
  int status = 200;
  if (!script.empty()) {
    status = script.front();
    script.pop_front();
  }
  if (status == 0) return;
  int expires = atoi(in.header("Expires").c_str());
  if (grant > 0) expires = std::min(expires, grant);
  std::string to_header = in.header("To");
  if (to_header.find(";tag=") == std::string::npos) to_header += ";tag=server";
  std::string out = "SIP/2.0 " + std::to_string(status) + (status == 200 ? " OK" : " Scripted") + "\r\nVia: " + via +
                    "\r\nFrom: " + in.header("From") + "\r\nTo: " + to_header + "\r\nCall-ID: " +
                    in.header("Call-ID") + "\r\nCSeq: " + in.header("CSeq") + "\r\n" + extra;
  if (status == 200)
    out += "SIP-ETag: etag" + std::to_string(++etags_) + "\r\nExpires: " + std::to_string(expires) + "\r\n";
  out += "Content-Length: 0\r\n\r\n";
  sendto(fd_, out.data(), out.size(), 0, to, to_len);
}

static std::string copy(pua_str_t s) { return std::string(s.s ? s.s : "", static_cast<size_t>(s.len)); }

Answer answer_of(pua_reply_t* reply) {
  Answer a;
  a.status = pua_reply_status(reply);
  a.origin = pua_reply_origin(reply);
  a.expires = pua_reply_expires(reply);
  a.reason = copy(pua_reply_reason(reply));
  a.etag = copy(pua_reply_etag(reply));
  a.durable = pua_reply_durable(reply) == 1;
  a.superseded = pua_reply_superseded(reply) == 1;
  a.kept = pua_reply_kept(reply) == 1;
  a.by_timer = pua_reply_by_timer(reply) == 1;
  return a;
}

int Recorder::on_reply(pua_reply_t* reply, void* self) {
  Recorder* r = static_cast<Recorder*>(self);
  r->answers.push_back(answer_of(reply));
  if (r->then) r->then(reply);
  return 0;
}

Rig::Rig() : base(event_base_new()), server(std::make_unique<Responder>(base)) {
  tick_ = event_new(base, -1, 0, [](int, short, void*) {}, nullptr);
}

Rig::~Rig() {
  on_log = nullptr;
  pua_free(pua);
  server.reset();
  event_free(tick_);
  event_base_free(base);
}

void Rig::log_line(void* self, int, const char* msg, size_t len) {
  Rig* rig = static_cast<Rig*>(self);
  rig->log.emplace_back(msg, len);
  if (rig->on_log) rig->on_log();
}

pua_config_t* Rig::config(const Parameters& parameters) const {
  pua_config_t* cfg = pua_config_new();
  auto set = [&](const std::string& name, const std::string& value) {
    bool number = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    int rc = number ? pua_config_set_int(cfg, "pua", name.c_str(), atoll(value.c_str()))
                    : pua_config_set_str(cfg, "pua", name.c_str(), value.c_str());
    if (rc != 0) {
      fprintf(stderr, "%s\n", pua_config_error(cfg));
      abort();
    }
  };
  set("db_url", "memory:");
  set("sip_listen", "sip:127.0.0.1:*");
  set("outbound_proxy", server->uri());
  for (auto& [name, value] : parameters) set(name, value);
  return cfg;
}

int Rig::start(const Parameters& parameters) {
  pua_config_t* cfg = config(parameters);
  int rc = pua_new(&pua, cfg, base, log_line, this);
  pua_config_free(cfg);
  // What comes while the table is being loaded is another story (tests/core/restart_test.cpp).
  if (rc == PUA_OK) until([&] { return stat("loading") == 0; });
  return rc;
}

int Rig::start_without_table(Parameters parameters) {
  parameters.emplace_back("db_url", "mysql://u:p@127.0.0.1:1/pua");   // nobody listens there
  parameters.emplace_back("db_start", "wait");
  pua_config_t* cfg = config(parameters);
  int rc = pua_new(&pua, cfg, base, log_line, this);
  pua_config_free(cfg);
  return rc;
}

int Rig::publish(const std::string& uri, const char* body, int expires, Recorder* to, const std::string& id) {
  pua_str_t pres_uri = text(uri);
  std::string document = body ? body : "";
  pua_str_t doc = text(document);
  publ_info_t p{};
  p.id = text(id);
  p.pres_uri = &pres_uri;
  if (body) p.body = &doc;
  p.expires = expires;
  p.source_flag = UL_PUBLISH;
  p.event = PRESENCE_EVENT;
  if (to) {
    p.cbrpl = Recorder::on_reply;
    p.cbparam = to;
  }
  return send(p);
}

bool Rig::until(const std::function<bool()>& holds, int ms) {
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    timeval soon{0, 20000};
    event_add(tick_, &soon);
    event_base_loop(base, EVLOOP_ONCE);
  }
  return true;
}

void Rig::settle() {
  for (int i = 0; i < 20; i++) event_base_loop(base, EVLOOP_NONBLOCK);
}

long long Rig::stat(const std::string& name) const {
  std::vector<pua_stat_t> all(static_cast<size_t>(pua_stats_get(pua, nullptr, 0)));
  pua_stats_get(pua, all.data(), static_cast<int>(all.size()));
  for (const pua_stat_t& s : all) {
    if (name == s.name) return s.value;
  }
  return -1;
}

}  // namespace pua::test
