// Machine: where one record stands, and the rules by which that changes. Everybody may look at the fields; step() alone changes them, by the
// one rule of a list that holds: in this state, with this input, where this is so, to that state.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "base/time.h"

namespace pua {

// Fields has a static step(Fields&, const Event&, Random&, MonoMs now) that returns effects.
template <class Fields>
class Machine {
 public:
  Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  const Fields* operator->() const { return &fields_; }
  const Fields& operator*() const { return fields_; }
  template <class Event>
  auto step(const Event& e, Random& random, MonoMs now) { return Fields::step(fields_, e, random, now); }

 private:
  Fields fields_;
};

// How a row is to be written, after a step. Wish: what an owner asked for, beside the request that goes out for it. Intent: it must be
// committed before the request leaves.
enum class Write : uint8_t { No, Wish, Bulk, Fast, Intent };

// What is to be done after a step of any machine, in this order. Each machine has effects of its own, too: those that change the record's
// texts come behind new_names, counters before `complete`.
struct CommonEffects {
  bool leave_queue = false;       // it stands in no queue any more: neither of the outbox nor of those who wait for their row
  bool new_names = false;         // the next request is the first under a new Call-ID
  Write write = Write::No;        // the row; the record has a new version
  bool free = false;              // it has ended and has no row
  bool complete = false;          // those who wait for the request under way get this outcome
  int local_status = 0;           // with `complete`, where no reply says it
  const char* local_reason = "";
  bool not_kept = false;          // nor is what somebody was told to be kept a moment ago
  bool enqueue = false;           // into the outbox
};

// One rule. A step goes through the rules of its state and input in the order of the list, and the first whose guard holds is taken.
// What the input says by itself stands in the fields by then.
template <class State, class Input, class Step>
struct Rule {
  uint32_t from;                  // a set of states: bits by their number
  uint32_t on;                    // a set of inputs
  const char* guard;              // in words; "": always
  bool (*holds)(const Step&);     // nullptr: always
  State to;                       // kStay: the state it is in
  void (*act)(Step&);             // nullptr: nothing but the state changes. The state is still the old one
  const char* source;             // section of an RFC, or "" where it is a rule of our own
};

constexpr uint8_t kStay = 0xff;

template <class... States>
constexpr uint32_t states(States... s) { return ((1u << static_cast<int>(s)) | ...); }
template <class... Inputs>
constexpr uint32_t on(Inputs... i) { return ((1u << static_cast<int>(i)) | ...); }
template <class State, class Input, class Step>
bool is_for(const Rule<State, Input, Step>& r, State s, Input i) {
  return (r.from >> static_cast<int>(s) & 1) && (r.on >> static_cast<int>(i) & 1);
}

template <class State>
State next_state(State from, State to) { return static_cast<uint8_t>(to) == kStay ? from : to; }

// The first rule that holds, nullptr: the pair is a programming error.
template <class State, class Input, class Step>
const Rule<State, Input, Step>* find_rule(std::span<const Rule<State, Input, Step>> rules, State from, Input input, const Step& s) {
  for (const auto& r : rules)
    if (is_for(r, from, input) && (!r.holds || r.holds(s))) return &r;
  return nullptr;
}

}  // namespace pua
