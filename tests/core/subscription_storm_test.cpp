// The subscription machine against notifiers that answer and notify at random, seed by seed. Whatever they do, the rate of
// requests is bounded, and if NOTIFYs are refused for hours the dialog is found to be deaf.
#include <queue>
#include <string>
#include <vector>

#include "core/subscription.h"

#include <CppUTest/TestHarness.h>

using namespace pua::sub;
using pua::kNever;
using pua::MonoMs;
using pua::Random;
using pua::Write;

namespace {

constexpr MonoMs kSecond = 1000;

// How the notifier behaves for a while.
struct Mood {
  uint64_t initial, in_dialog;       // answers to requests outside of and in a dialog
  bool notifies;
  MonoMs notify_after;               // ms from the request to the NOTIFY; the answer takes 10 ms
  Input notify;                      // Notify, Refused or Terminated
  Reason reason;
  int64_t granted, notified;         // s, -1: not said
};

struct Coming {
  MonoMs at;
  bool reply;
  Event event;
  int dialog;
  bool operator<(const Coming& o) const { return at > o.at; }
};

class Storm {
 public:
  explicit Storm(uint64_t seed) : random_(seed), step_random_(seed + 1) {
    m_.state = State::Idle;
    apply({.input = Input::Request, .first = true, .no_row = true});
    apply({.input = Input::Loaded, .no_row = true});
  }
  Mood mood = {};
  Mood random_mood() {
    static constexpr int64_t seconds[] = {-1, 0, 1, 3, 60, 600, 3600, 3600};
    static constexpr MonoMs waits[] = {5, 15, 6000};
    static constexpr Input kinds[] = {Input::Notify, Input::Terminated, Input::Refused, Input::Notify};
    return {below(8), below(8), below(4) != 0, waits[below(3)], kinds[below(4)], static_cast<Reason>(below(5)), seconds[below(8)], seconds[below(8)]};
  }
  void run(MonoMs until) {
    while (now_ < until && m_.state != State::Gone) {
      if (m_.state == State::Queued) {
        send();
        continue;
      }
      MonoMs due = m_.deadline;
      if (!coming_.empty()) due = std::min(due, coming_.top().at);
      if (due >= until) break;
      now_ = std::max(now_, due);
      if (!coming_.empty() && coming_.top().at <= now_) {
        Coming c = coming_.top();
        coming_.pop();
        if (c.reply ? m_.state == State::Sending : c.dialog == dialog_ && m_.dialog != Dialog::None) apply(c.event);
      } else {
        apply({.input = Input::Due});
      }
    }
    now_ = std::max(now_, until);
  }
  size_t sent() const { return sent_.size(); }
  // The largest number of requests in one second.
  size_t burst() const {
    size_t most = 0;
    for (size_t i = 0, from = 0; i < sent_.size(); i++) {
      while (sent_[from] <= sent_[i] - kSecond) from++;
      most = std::max(most, i - from + 1);
    }
    return most;
  }
  int deaf() const { return deaf_; }
  bool over() const { return m_.state == State::Gone; }

 private:
  uint64_t below(uint64_t n) { return random_.below(n); }
  void apply(Event e) {
    if (!legal(m_.state, e.input)) return;
    e.has_row = true;
    e.ask = {60, 86400, 3600};
    Effects fx = Subscription::step(m_, e, step_random_, now_);
    dialog_ += fx.new_names;
    deaf_ += fx.note == Note::Deaf;
    if (fx.write == Write::Intent) apply({.input = Input::Proceed});
  }
  void send() {
    apply({.input = Input::Slot});
    sent_.push_back(now_);
    bool in_dialog = m_.op == Op::Refresh || m_.op == Op::Remove, removal = m_.op == Op::Remove;
    Event reply{.input = Input::Success, .has_dialog = true, .expires = removal ? 0 : mood.granted};
    switch (in_dialog ? mood.in_dialog : mood.initial) {
      case 3: reply.input = in_dialog ? Input::DialogLost : Input::Transient; break;
      case 4: reply.input = Input::TooBrief; reply.min_expires = static_cast<int64_t>(below(2) ? 3601 : 90000); break;
      case 5: reply.input = Input::Transient; break;
      case 6: reply.has_dialog = false; break;
      case 7: reply.input = Input::Forbidden; break;
      default: break;
    }
    coming_.push({now_ + 10, true, reply, dialog_});
    if (!mood.notifies) return;
    Event notify{.input = removal && mood.notify != Input::Refused ? Input::Terminated : mood.notify, .expires = mood.notified,
                 .notified = Notified::Active, .reason = mood.reason};
    coming_.push({now_ + mood.notify_after, false, notify, dialog_});
  }

  Subscription m_;
  Random random_, step_random_;
  std::priority_queue<Coming> coming_;
  std::vector<MonoMs> sent_;
  MonoMs now_ = 1000000;
  int dialog_ = 0, deaf_ = 0;

 public:
  MonoMs now() const { return now_; }
};

}  // namespace

TEST_GROUP(SubscriptionStorm) {};

TEST(SubscriptionStorm, no_notifier_makes_us_send_many_requests) {
  for (uint64_t seed = 1; seed <= 5000; seed++) {
    Storm s(seed);
    s.mood = s.random_mood();
    if (seed % 2) s.mood = {0, 0, true, 15, Input::Notify, Reason::None, 3600, 3600};   // all is well at first
    s.run(s.now() + 100 * kSecond);
    s.mood = s.random_mood();
    size_t before = s.sent();
    s.run(s.now() + 600 * kSecond);
    std::string what = "seed " + std::to_string(seed) + ": " + std::to_string(s.sent() - before) + " in ten minutes, " + std::to_string(s.burst()) + " in a second";
    CHECK_TEXT(s.burst() <= 5 && s.sent() - before <= 600, what.c_str());
  }
}

TEST(SubscriptionStorm, whoever_is_refused_for_hours_is_found_deaf) {
  for (uint64_t seed = 1; seed <= 48; seed++) {
    for (int64_t granted : {8, 60, 600, 3600}) {
      for (MonoMs after : {5, 15, 6000}) {
        Storm s(seed);
        s.mood = {0, 0, true, 15, Input::Notify, Reason::None, granted, granted};
        s.run(s.now() + 100 * kSecond);
        s.mood.notify = Input::Refused;
        s.mood.notify_after = after;
        s.run(s.now() + 6 * 3600 * kSecond);
        std::string what = "seed " + std::to_string(seed) + ", grant " + std::to_string(granted) + ", " + std::to_string(after) + " ms after the request";
        CHECK_TEXT(s.deaf() > 0 || s.over(), what.c_str());
      }
    }
  }
}
