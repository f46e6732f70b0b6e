// Machine: the state of one record, and the rules by which it changes. Everybody may read the fields; step() alone writes them.
// Each step takes one rule out of a list. A rule says: in this state, on this input, where this guard holds, the next state is
// that one.
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

// How the row is to be written after a step. Bulk, Fast: in the bulk lane, in the fast lane (core/store_port.h). Wish: in the
// bulk lane, so that what an owner asked for is committed while its request is out. Intent: in the fast lane, and the request
// leaves only after the commit.
enum class Write : uint8_t { No, Wish, Bulk, Fast, Intent };

// What is to be done after a step of any machine, in this order (Keeper::apply). Each machine has effects of its own as well:
// those that change the record's texts are carried out together with new_names, those for counters and the log after everything
// else.
struct CommonEffects {
  bool leave_queue = false;       // out of its queue: the outbox's, or that of records that wait for their row
  bool new_names = false;         // the next request is the first under a new Call-ID
  Write write = Write::No;        // the row; the record has a new version
  bool free = false;              // it has ended and has no row
  bool complete = false;          // the callers of the request under way get its outcome
  int local_status = 0;           // with `complete`: the status, where no reply gives one
  const char* local_reason = "";
  bool not_kept = false;          // outcomes that wait for a commit are delivered as not durable: after all nothing is kept
  bool enqueue = false;           // into the outbox
};

// One rule. A step looks at the rules for its state and input in the order of the list, and takes the first one whose guard
// holds. Before that, what the input says by itself (a new wanted end, the grant in a reply ...) has been written into the
// fields.
template <class State, class Input, class Step>
struct Rule {
  uint32_t from;                  // a set of states: bits by their number
  uint32_t on;                    // a set of inputs
  const char* guard;              // in words; "": always
  bool (*holds)(const Step&);     // nullptr: always
  State to;                       // kStay: the state it is in
  void (*act)(Step&);             // called before the state changes; nullptr: nothing else changes
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

// The first rule that holds. nullptr: this input cannot happen in this state, and its sender has an error.
template <class State, class Input, class Step>
const Rule<State, Input, Step>* find_rule(std::span<const Rule<State, Input, Step>> rules, State from, Input input,
                                          const Step& s) {
  for (const auto& r : rules)
    if (is_for(r, from, input) && (!r.holds || r.holds(s))) return &r;
  return nullptr;
}

}  // namespace pua
