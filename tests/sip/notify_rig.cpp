#include "tests/sip/notify_rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/support/socket_address.h"

namespace pua::test {

Notified copy_of(const NotifyRequest& n) {
  Notified o;
  o.call_id = n.call_id;
  o.local_tag = n.local_tag;
  o.remote_tag = n.remote_tag;
  o.event = n.event;
  o.event_id = n.event_id;
  o.state = n.state;
  o.reason = n.reason;
  o.contact = n.contact;
  o.route_set = n.route_set;
  o.content_type = n.content_type;
  o.body = n.body;
  o.body_problem = n.body_problem;
  o.to_uri = n.to_uri;
  o.from_uri = n.from_uri;
  o.headers = n.headers;
  o.cseq = n.cseq;
  o.expires = n.expires;
  o.retry_after = n.retry_after;
  o.left_out = n.left_out;
  return o;
}

NotifyAnswer RecordingSink::on_notify(const NotifyRequest& n, MonoMs) {
  count++;
  NotifyAnswer a = answer;  // `then` may end us
  if (keep) came.push_back(copy_of(n));
  if (then) {
    auto f = then;
    f(came.back());
  }
  return a;
}

Wire::Wire(const std::string& contact, bool tcp) : tcp_(tcp) {
  size_t from = contact.find(':') + 1, end = std::min(contact.find(';'), contact.size());
  std::string hostport = contact.substr(from, end - from);
  size_t colon = hostport.rfind(':');
  uint16_t port = static_cast<uint16_t>(atoi(hostport.c_str() + colon + 1));
  bool v6 = hostport[0] == '[';
  std::string host = v6 ? hostport.substr(1, colon - 2) : hostport.substr(0, colon);
  sockaddr_storage ss;
  socklen_t len = socket_address(host, port, ss);
  int fd = socket(ss.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  if (connect(fd, reinterpret_cast<sockaddr*>(&ss), len) != 0) {
    close(fd);
    return;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  len = sizeof ss;
  getsockname(fd, reinterpret_cast<sockaddr*>(&ss), &len);
  port_ = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&ss)->sin6_port : reinterpret_cast<sockaddr_in*>(&ss)->sin_port);
  fd_ = fd;
}

Wire::~Wire() {
  if (fd_ >= 0) close(fd_);
}

void Wire::send(std::string_view bytes) {
  ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  (void)n;  // a reader that has closed is what some tests want
}

const std::vector<SipReceived>& Wire::replies() {
  static char buf[70000];
  for (;;) {
    ssize_t n = recv(fd_, buf, sizeof buf, 0);
    if (n == 0 && tcp_) closed = true;
    if (n <= 0) break;
    if (!tcp_) replies_.push_back(parse_sip(std::string(buf, static_cast<size_t>(n))));
    else in_.append(buf, static_cast<size_t>(n));
  }
  while (in_.starts_with("\r\n")) in_.erase(0, 2);   // the answer to a keep-alive (RFC 5626)
  for (size_t head; (head = in_.find("\r\n\r\n")) != std::string::npos;) {
    size_t body = static_cast<size_t>(atoi(parse_sip(in_.substr(0, head + 4)).header("Content-Length").c_str()));
    if (in_.size() < head + 4 + body) break;
    replies_.push_back(parse_sip(in_.substr(0, head + 4 + body)));
    in_.erase(0, head + 4 + body);
  }
  return replies_;
}

std::string NotifyMessage::text() const {
  auto line = [](const char* name, const std::string& v) { return v.empty() ? "" : std::string(name) + v + "\r\n"; };
  return "NOTIFY sip:watcher@127.0.0.1 SIP/2.0\r\n" + line("Via: ", via) + "Max-Forwards: 70\r\n" + line("From: ", from) +
         line("To: ", to) + line("Call-ID: ", call_id) + line("CSeq: ", cseq) + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void ListenerTest::make(SuDriver::Mode mode) {
  drop();
  rig = new Rig(mode);
  sink = new RecordingSink;
  rig->notifies = sink;
  rig->settings.notify_listen = {"sip:127.0.0.1:*"};
}

void ListenerTest::drop() {
  delete rig;
  delete sink;
  rig = nullptr;
  sink = nullptr;
}

SipReceived ListenerTest::ask(Wire& w, const std::string& text) {
  size_t n = w.replies().size();
  w.send(text);
  CHECK_TRUE(rig->until([&] { return w.replies().size() > n; }));
  return w.replies().back();
}

std::string ListenerTest::answer() {
  Wire w(contact());
  return status(ask(w, m.text()));
}

SipRequest ListenerTest::subscribe(const ScriptedServer& server, TxnId txn) {
  proxy = server.uri();
  SipRequest q = rig->publish(txn);
  q.method = "SUBSCRIBE";
  q.body = q.content_type = "";
  q.proxy = proxy;
  return q;
}

SipReceived ListenerTest::connect(ScriptedServer& server) {
  server.on_request = [&](const SipReceived& r) {
    if (r.start_line.substr(0, 9) == "SUBSCRIBE") server.reply(r, 200, "OK");
  };
  size_t n = rig->replies.size();
  rig->send(subscribe(server));
  CHECK_TRUE(rig->until_replies(n + 1));
  return server.requests[0];
}

}  // namespace pua::test
