// LaneTxns: the client transactions of the lane (RFC 3261 section 17.1.2), found by their branch, with the deadlines of their
// timers. Pure but for the octets they hold.
//
// Timer E grows by steps that are the same for all (T1, 2 T1 ... T2), and timer F is the same for all: one list for each step
// is in the order of its deadlines, so that setting a timer is an append, and the next deadline is among the heads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/slots.h"
#include "base/time.h"
#include "sip/net_address.h"

namespace pua {

struct LaneTxn : Slot {
  // Trying and Proceeding (RFC 3261 17.1.2.2). Completed leaves nothing here but a mark (LaneTxns::recent).
  enum class State : uint8_t { Trying, Proceeding };
  State state = State::Trying;
  uint8_t step = 0;              // of timer E
  uint8_t odd = 0;               // responses that the scanner did not understand
  bool waiting = false;          // the owner's: it waits to be sent
  uint32_t socket = 0;
  uint32_t call_at = 0;          // where "Call-ID: " stands in the octets; "CSeq: " is the next line
  uint64_t token = 0;            // the owner's
  uint64_t key = 0;              // hash of the branch
  std::string octets;
  NetAddress to;
  MonoMs resend_at = 0, end_at = 0;
  LaneTxn *prev[2] = {}, *next[2] = {};  // [0]: list of the step, [1]: list of timer F
};

class LaneTxns {
 public:
  // t1: ms. hash: the key of the table, unknown outside.
  LaneTxns(uint32_t t1, HashKey hash);

  uint64_t key_of(std::string_view branch) const;
  // A new transaction, its timers set; nullptr: this branch is out already, or as many are out as there may be. The caller
  // fills in token, socket, octets, to and call_at.
  LaneTxn* add(uint64_t key, MonoMs now);
  LaneTxn* find(uint64_t key) const;
  SlotHandle handle(const LaneTxn& t) const { return slots_.handle(t); }
  LaneTxn* of(SlotHandle h) const { return slots_.find(h); }   // nullptr: it has ended
  // A provisional response: the next repetition comes when it was to come, those after it every T2.
  void proceed(LaneTxn&);
  // It has ended with a final response: repetitions of that one are known for T4 (timer K).
  void complete(LaneTxn&, MonoMs now);
  void remove(LaneTxn&);
  // Whether a transaction with this key was completed within T4.
  bool recent(uint64_t key, MonoMs now) const;

  // The next one whose timer F is over, nullptr: none.
  LaneTxn* overdue(MonoMs now) const;
  // The next one to be sent again, its timer E set anew; nullptr: none.
  LaneTxn* resend(MonoMs now);
  MonoMs next_due() const;         // kNever: no timer runs
  size_t size() const { return slots_.size(); }
  LaneTxn* any() const { return end_.first; }

 private:
  struct Chain {
    LaneTxn *first = nullptr, *last = nullptr;
  };
  struct Mark {
    uint64_t key = 0;
    MonoMs until = 0;
  };
  static constexpr unsigned kSteps = 4;         // T1, 2 T1, 4 T1, 8 T1 = T2
  static constexpr uint64_t kT4 = 10;           // times T1
  static constexpr size_t kRecent = 4096;       // marks; a newer one may take the place of an older
  static constexpr size_t kKeptOctets = 4096;   // memory of longer requests is given back

  static void link(Chain&, unsigned list, LaneTxn&);
  static void unlink(Chain&, unsigned list, LaneTxn&);
  void grow();
  size_t place_of(const LaneTxn&) const;

  uint32_t t1_;
  HashKey hash_;
  Slots<LaneTxn> slots_;
  std::vector<LaneTxn*> table_;    // open addressing, a power of two, at most half full
  Chain steps_[kSteps], end_;
  std::vector<Mark> recent_;
};

}  // namespace pua
