// A rig for tests of the C ABI: a loop, a presence server that answers by script on a UDP socket of that loop, an
// instance, and a recorder of what its callbacks got.
#pragma once

#include <event2/event.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pua/pua.h"

namespace pua::test {

// A folder that goes with its contents.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string path(const std::string& name) const { return dir_ + "/" + name; }

 private:
  std::string dir_;
};

struct SipText {
  std::string text, body;
  std::string header(const std::string& name) const;  // "": none
};

// Answers each request with the next scripted status, 200 when the script is over. 200 carries a new entity-tag and
// the asked Expires (at most `grant` if that is set).
class Responder {
 public:
  explicit Responder(event_base* base);
  ~Responder();
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  std::deque<int> script;     // 0: no answer
  std::string extra;          // whole lines, put into each answer
  bool silent = false;
  int grant = 0;
  std::vector<SipText> seen;  // retransmissions are left out
  void hear_again() { last_branch_.clear(); }  // but for the next one of the last request
  std::string uri() const;

 private:
  void answer(const std::string& datagram, const struct sockaddr* to, unsigned to_len);
  int fd_ = -1;
  int port_ = 0;
  int etags_ = 0;
  event* ready_ = nullptr;
  std::string last_branch_;
};

// One callback, as it was seen.
struct Answer {
  int status = 0, origin = 0;
  long expires = 0;
  std::string reason, etag;
  bool durable = false, superseded = false, by_timer = false, kept = false;
};
Answer answer_of(pua_reply_t* reply);

struct Recorder {
  std::vector<Answer> answers;
  std::function<void(pua_reply_t*)> then;  // inside the callback
  static int on_reply(pua_reply_t* reply, void* self);
};

using Parameters = std::vector<std::pair<std::string, std::string>>;  // module "pua"; digits only: an integer

class Rig {
 public:
  // No instance yet.
  Rig();
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  // An instance on the rig's loop, with a memory store if the parameters name no other; its outbound proxy is the server.
  int start(const Parameters& parameters = {});
  // As start(), with a database that is away and waited for.
  int start_without_table(Parameters parameters = {});
  void stop() {
    pua_free(pua);
    pua = nullptr;
  }
  pua_config_t* config(const Parameters& parameters) const;  // the caller frees it

  // A presence publication of UL_PUBLISH, answered into `to`. body nullptr: none.
  int publish(const std::string& uri, const char* body, int expires, Recorder* to, const std::string& id = "");
  int send(const publ_info_t& p) { return pua_send_publish(pua, &p); }

  // Turns the loop until it holds; false: not within ms.
  bool until(const std::function<bool()>& holds, int ms = 5000);
  // Turns the loop as long as something is ready.
  void settle();
  std::string error() const { return pua_last_error(pua); }
  long long stat(const std::string& name) const;

  event_base* base = nullptr;
  std::unique_ptr<Responder> server;
  pua_t* pua = nullptr;
  TempDir dir;
  std::vector<std::string> log;
  std::function<void()> on_log;

 private:
  event* tick_ = nullptr;     // ends a turn in which nothing else happens
  static void log_line(void* self, int level, const char* msg, size_t len);
};

extern const char* const kDocument;  // a small valid PIDF
pua_str_t text(const std::string& s);  // a view that nothing frees

}  // namespace pua::test
