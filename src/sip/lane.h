// UdpLane: the UDP sockets, and the client transactions that use them. Requests go out as text in batches; what comes in is
// sorted before anything is kept of it (docs/adr/0014):
//
//   send() --> queue --> sendmmsg --> wire
//   recvmmsg --> response to what is out --> sink        (read by the scanner, or else by sofia's parser)
//            --> other responses: dropped, counted
//            --> requests --> sink, which answers at once
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/log_gate.h"
#include "base/spell.h"
#include "base/result.h"
#include "core/sip_port.h"
#include "sip/lane_txns.h"
#include "sip/su_timer.h"
#include "sip/udp_socket.h"

struct sip_s;
struct msg_s;

namespace pua {

struct Scan;

struct LaneCounters {
  uint64_t sent = 0, resent = 0;        // requests, repetitions of them
  uint64_t scanned = 0, parsed = 0;     // final responses, by who read them: the scanner, sofia's parser
  uint64_t repeated = 0;                // responses to what was answered within T4
  uint64_t stray = 0;                   // responses to nothing that is out, and what is no SIP message
  uint64_t foreign = 0;                 // responses with everything right but their address
  uint64_t requests = 0;                // requests from outside
  uint64_t answers_dropped = 0;         // answers that the socket had no room for
  uint64_t floods = 0;                  // times that a flood began to be kept out by the system
  uint64_t errors_unheard = 0;  // times that errors were ignored for a second: too many belonged to nothing that was out
  uint64_t network_errors = 0;          // errors that came back for requests (ICMP), or that sending met
};

// Called from the lane's own turns, never inside send(). Each may destroy or close the lane.
struct LaneSink {
  virtual ~LaneSink() = default;
  // A final response that the scanner understood. The views last for the call.
  virtual void on_plain_reply(uint64_t token, SipReply&) = 0;
  // A final response as sofia's parser reads it. sip and msg last for the call.
  virtual void on_parsed_reply(uint64_t token, const sip_s* sip, msg_s* msg) = 0;
  // No response: Timeout (timer F), Transport (the network says it cannot be reached, or the request is too long).
  virtual void on_no_reply(uint64_t token, ReplyOrigin, std::string_view reason) = 0;
  // A request, or what looks like one. Appends what is to be answered to `out`, if anything; `from` becomes where that goes.
  virtual void on_request(std::string_view message, NetAddress& from, MonoMs now, std::string& out) = 0;
  // A response to a request that is out came from there. Must not destroy or close the lane.
  virtual void on_server(const NetAddress& from) = 0;
};

class UdpLane : public std::enable_shared_from_this<UdpLane> {
 public:
  using Handle = SlotHandle;    // of a transaction; 0 is none
  struct Out {
    uint64_t token = 0;
    unsigned socket = 0;
    NetAddress to;
    std::string_view method, uri;
    std::string_view branch;      // empty: a new one
    std::string_view headers;     // all but Via, whole lines; "CSeq: " follows "Call-ID: "
    std::string_view body;
  };

  // driver, sink, log outlive the lane. now: monotonic ms. Errors: no_memory.
  static Result<std::shared_ptr<UdpLane>> create(SuDriver& driver, uint32_t t1_ms, LaneSink& sink, Log& log,
                                                 std::function<MonoMs()> now);
  ~UdpLane();
  UdpLane(const UdpLane&) = delete;
  UdpLane& operator=(const UdpLane&) = delete;

  // Takes the socket and reads from it. The number of the socket.
  unsigned add(std::unique_ptr<UdpSocket> socket);
  UdpSocket& socket(unsigned n) { return *sockets_[n].socket; }

  // Request line, Via, headers and body are sent with the next batch. One report follows.
  // Errors, nothing follows: bad_argument (this branch is out already, or a random one could not be had).
  Result<Handle> send(const Out&);
  // No report follows. The request may be repeated no more.
  void drop(Handle);
  // Closes the sockets; open transactions are forgotten. Legal inside the sink.
  void close();

  size_t in_flight() const { return txns_.size(); }
  const LaneCounters& counters() const { return counters_; }

 private:
  // Requests of strangers and what is no SIP, faster than they can be thrown away one by one (lane_flood.cpp).
  struct Flood {
    Spell spell;
    bool kept_out = false;       // the system throws most of it away
    unsigned useless = 0;        // datagrams since `since` that were of no use
    MonoMs since = 0;
    uint32_t drops = 0;          // datagrams that the system has dropped so far
  };
  struct Watched {
    UdpLane* lane = nullptr;
    unsigned number = 0;
    std::unique_ptr<UdpSocket> socket;
    struct event read {};
    struct event write {};
    bool blocked = false;        // the system has no room: waits for `write`
    MonoMs deaf_until = 0;       // errors of the network are not looked at until then, 0: they are
    Spell forged;                // the errors of the network belong to nothing of ours
    Spell full;                  // the network device takes no more
    Flood flood;
    std::unique_ptr<SuTimer> calm;   // looks each second whether these are over, while one of them lasts
    bool looking = false;            // `calm` is armed
  };
  // What waits to be sent: a transaction's octets, or an answer.
  struct Waiting {
    Handle txn = 0;              // 0: an answer
    unsigned socket = 0;
    NetAddress to;
    std::string answer;
  };
  struct Batch;

  UdpLane(SuDriver&, uint32_t t1_ms, LaneSink&, Log&, std::function<MonoMs()> now, HashKey);
  static void on_read(evutil_socket_t, short, void* watched);
  static void on_write(evutil_socket_t, short, void* watched);
  static void on_flush(evutil_socket_t, short, void* lane);
  static void on_timer(void* lane);

  Waiting& enqueue(unsigned socket, const NetAddress& to);
  void flush();
  unsigned flush_some(unsigned first);
  void read_some(Watched&);
  int receive(Watched&, unsigned most);
  void take(Watched&, std::string_view datagram, NetAddress& from, MonoMs now);
  void take_response(Watched&, std::string_view datagram, const NetAddress& from, MonoMs now);
  void take_odd_response(Watched&, std::string_view datagram, LaneTxn& meant, const NetAddress& from, MonoMs now);
  LaneTxn* match(Watched&, uint64_t key, std::string_view call_id, uint32_t cseq, std::string_view method,
                 const NetAddress& from, MonoMs now);
  enum class Branch : uint8_t { None, Done, Out };   // Done: of a request that was answered within T4
  Branch branch_in(std::string_view datagram, MonoMs now, LaneTxn*& out) const;
  void count_foreign(const LaneTxn&, const NetAddress& from, MonoMs now);
  void finish_parsed(LaneTxn&, const sip_s*, msg_s*, MonoMs now);
  void fail(LaneTxn&, ReplyOrigin, std::string_view reason);
  void run_timers();
  void arm();

  // lane_errors.cpp
  int push(Watched&, unsigned n);
  void send_failed(Waiting&, int error);
  void no_room(Watched&);
  void read_errors(Watched&);
  void stop_hearing(Watched&);
  void hear_again(Watched&, MonoMs now);
  bool take_error(Watched&, std::string_view sent, int error, const NetAddress& to);

  // lane_flood.cpp
  void watch_flood(Watched&, MonoMs now);
  void look_for_calm(Watched&, MonoMs now);
  static void on_calm(void* watched);

  SuDriver& driver_;
  LaneSink* sink_;
  Log& log_;
  std::function<MonoMs()> now_;
  LaneTxns txns_;
  LaneCounters counters_;
  std::vector<Watched> sockets_;
  std::vector<Waiting> queue_;       // the first `waiting_` of them are used; the rest keeps its memory
  unsigned waiting_ = 0;
  size_t waiting_octets_ = 0;        // of the answers among them
  unsigned turn_batch_ = 64;         // datagrams of the next recvmmsg
  std::unique_ptr<Batch> batch_;
  std::string answer_;               // the answer that is being made
  struct event flush_ {};
  bool flush_pending_ = false, closed_ = false;
  bool reading_ = false;             // a socket is being read: close() then leaves the sockets open until that has returned
  std::unique_ptr<SuTimer> timer_;
  MonoMs armed_ = kNever;
  LogGate foreign_gate_{1};
};

}  // namespace pua
