#include "sip/inbound_connection.h"

#include <event2/event.h>

#include <algorithm>

#include "sip/inbound_server.h"

namespace pua {

InboundConnection::InboundConnection(InboundServer& s, int fd, const TlsServer* tls, IncomingPort& p, const Peer& peer,
                                     size_t max_message, MonoMs now)
    : server(s), socket(fd, tls), port(&p), from(peer), framing(max_message), since(now), active_at(now) {}

InboundConnection::~InboundConnection() {
  if (read_) event_free(read_);
  if (write_) event_free(write_);
}

bool InboundConnection::open_events(event_base* base) {
  auto on_read = [](evutil_socket_t, short, void* c) {
    auto* self = static_cast<InboundConnection*>(c);
    self->server.readable(*self);
  };
  auto on_write = [](evutil_socket_t, short, void* c) {
    auto* self = static_cast<InboundConnection*>(c);
    self->server.writable(*self);
  };
  read_ = event_new(base, socket.fd(), EV_READ | EV_PERSIST, on_read, this);
  write_ = event_new(base, socket.fd(), EV_WRITE | EV_PERSIST, on_write, this);
  if (!read_ || !write_) return false;
  watch();
  return reading_;
}

void InboundConnection::set(event* e, bool& is, bool wanted) {
  if (is == wanted) return;
  is = wanted ? event_add(e, nullptr) == 0 : false;
  if (!wanted) event_del(e);
}

void InboundConnection::watch() {
  bool reading = state_ != State::Dead && state_ != State::Closing && !wants_write && !(state_ == State::Open && blocked());
  bool writing = state_ != State::Dead && (wants_write || unsent());
  set(read_, reading_, reading);
  set(write_, writing_, writing);
}

bool InboundConnection::flush(std::string& answers, MonoMs now) {
  if (unsent()) {
    out.append(answers);
    answers.clear();
  }
  std::string_view rest = unsent() ? std::string_view(out).substr(sent) : std::string_view(answers);
  bool fine = true;
  if (!unsent()) moved_at = now;
  while (!rest.empty()) {
    size_t n = 0;
    InboundSocket::Io io = socket.write(rest.data(), rest.size(), n);
    if (io != InboundSocket::Io::Done) {
      fine = io == InboundSocket::Io::WantWrite || io == InboundSocket::Io::WantRead;
      break;
    }
    rest.remove_prefix(n);
    moved_at = now;
  }
  if (unsent()) {
    sent = out.size() - rest.size();
  } else if (!rest.empty()) {
    out.assign(rest);
    sent = 0;
  }
  if (!unsent()) {
    std::string().swap(out);
    sent = 0;
  } else if (sent >= kMostOut) {
    out.erase(0, sent);
    sent = 0;
  }
  answers.clear();
  return fine;
}

MonoMs InboundConnection::due(const InboundTimes& t) const {
  if (state_ == State::Dead) return kNever;
  if (state_ == State::Lingering) return since + kLingerMs;
  MonoMs due = !greeted ? since + t.silence_ms : begun_at != kNever ? begun_at + t.silence_ms : active_at + t.idle_ms;
  if (state_ == State::Closing || unsent()) due = std::min(due, moved_at + t.silence_ms);
  return due;
}

}  // namespace pua
