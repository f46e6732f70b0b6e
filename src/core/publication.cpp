#include "core/publication.h"

#include <algorithm>

namespace pua {

const char* state_name(State s) {
  static constexpr const char* names[] = {"idle", "intent", "queued", "sending", "live", "backoff", "gone"};
  return names[static_cast<int>(s)];
}
const char* op_name(Op o) {
  static constexpr const char* names[] = {"none", "initial", "refresh", "modify", "remove"};
  return names[static_cast<int>(o)];
}
const char* input_name(Input i) {
  static constexpr const char* names[] = {"request", "proceed", "slot", "due", "success", "lost_state", "too_brief",
                                          "transient", "forbidden", "auth", "fatal", "shutdown", "loaded", "stored"};
  return names[static_cast<int>(i)];
}

Input input_of(ReplyClass c) {
  switch (c) {
    case ReplyClass::Success: return Input::Success;
    case ReplyClass::LostState: return Input::LostState;
    case ReplyClass::TooBrief: return Input::TooBrief;
    case ReplyClass::Transient: return Input::Transient;
    case ReplyClass::Forbidden: return Input::Forbidden;
    case ReplyClass::Auth: return Input::Auth;
    case ReplyClass::Fatal: return Input::Fatal;
    case ReplyClass::Shutdown: return Input::Shutdown;
  }
  return Input::Transient;
}

bool legal(State s, Input i) {
  switch (i) {
    case Input::Request: return s != State::Sending;
    case Input::Proceed: return s == State::Intent;
    case Input::Slot: return s == State::Queued;
    case Input::Due: return s == State::Idle || s == State::Queued || s == State::Live || s == State::Backoff;
    case Input::Loaded: return s == State::Idle;
    case Input::Stored: return s == State::Gone;
    default: return s == State::Sending;
  }
}

Op next_op(const Publication& p) {
  if (p.wanted != Wanted::Something) return p.known == Known::Never ? Op::None : Op::Remove;
  if (p.known == Known::Never) return p.publishable ? Op::Initial : Op::None;
  return p.known == Known::Changed ? Op::Modify : Op::Refresh;
}

bool needs_intent(Op op) { return op == Op::Modify || op == Op::Remove; }

namespace {

// The only writer of Publication::state.
void set_state(Publication& p, State s, MonoMs deadline) {
  p.state = s;
  p.deadline = deadline;
}

Effects end(Publication& p, Ending why, int status, const char* reason) {
  Effects fx;
  fx.complete = fx.write_row = true;
  fx.local_status = status;
  fx.local_reason = reason;
  fx.ending = why;
  p.wanted = Wanted::Leaving;
  p.known = Known::Never;
  p.hold_until = 0;
  set_state(p, State::Gone, kNever);
  return fx;
}

// While queued or backing off: when the record's lifetime changes what there is to do.
MonoMs removal_end(const Publication& p) { return p.grant_end + kRemovalGrace; }
MonoMs end_of_interest(const Publication& p) { return p.wanted == Wanted::Something ? p.wanted_end : removal_end(p); }

void queue(Publication& p, Effects& fx) {
  set_state(p, State::Queued, end_of_interest(p));
  fx.enqueue = true;
}

// Something to send: by way of the intent where an owner's change must be safe first.
Effects prepare(Publication& p) {
  Effects fx;
  p.hold_until = 0;
  if (needs_intent(next_op(p))) {
    fx.commit_intent = true;
    set_state(p, State::Intent, kNever);
  } else {
    queue(p, fx);
  }
  return fx;
}

// The wanted end has come, in a state where nothing is out. A body that the server holds is withdrawn.
Effects lifetime_over(Publication& p, MonoMs now) {
  p.wanted = Wanted::Leaving;
  if (p.known == Known::Never || removal_end(p) <= now) return end(p, Ending::Expired, 480, "Lifetime ended");
  Effects fx;
  if (p.state == State::Backoff && p.hold_until > now) set_state(p, State::Backoff, std::min(p.hold_until, removal_end(p)));   // it asked for quiet
  else queue(p, fx);
  return fx;
}

MonoMs live_deadline(const Publication& p, Random& random, uint32_t granted) {
  if (p.grant_end >= p.wanted_end) return p.wanted_end;  // no refresh needed: withdrawn at its own end
  return std::min(p.wanted_end, p.sent_at + refresh_after(granted, random));
}

Effects on_request(Publication& p, const Event& e, MonoMs now) {
  if (e.new_body) p.publishable = true;
  if (e.new_body && p.known == Known::Current) p.known = Known::Changed;
  if (p.state == State::Idle) {
    p.deadline = now + kIdlePatience;
    return {};
  }
  if (p.state == State::Gone) p = Publication{.wanted = p.wanted, .publishable = p.publishable, .wanted_end = p.wanted_end};
  if (next_op(p) == Op::None) {
    // A removal. Where a server has confirmed a state and given no entity-tag to remove it by, that is said.
    if (p.grant_end > now) return end(p, Ending::LeftBehind, 202, "No usable SIP-ETag to remove it by: ends with its grant");
    return end(p, Ending::NeverSent, 200, "Nothing published");   // what may be there unheard of lapses by itself
  }
  if (p.state == State::Backoff && p.hold_until > now) {
    Effects fx;  // the server asked for quiet: the change is kept, goes out then, and its owner knows it
    fx.write_row = fx.complete = true;
    fx.local_status = 503;
    fx.local_reason = "Retry-After not over yet, kept";
    p.deadline = std::min(p.hold_until, end_of_interest(p));
    return fx;
  }
  p.attempts = 0;
  return prepare(p);
}

Effects on_due(Publication& p, MonoMs now) {
  if (p.state == State::Idle) {
    Effects fx;
    fx.complete = true;
    fx.local_status = 503;
    fx.local_reason = "Table not loaded yet, kept";
    p.deadline = kNever;
    return fx;
  }
  if (p.wanted == Wanted::Something && p.wanted_end <= now) {
    bool failing = p.state == State::Backoff, queued = p.state == State::Queued;
    Effects fx = lifetime_over(p, now);
    if (p.state == State::Gone) {
      if (failing) fx.ending = Ending::GivenUp;
    } else {
      fx.complete = queued;  // callers still queued: their lifetime ended before the request could leave
      fx.local_status = 480;
      fx.local_reason = "Lifetime ended";
    }
    return fx;
  }
  if (p.wanted != Wanted::Something && removal_end(p) <= now) return end(p, Ending::Expired, 200, "Expired at the server");
  Effects fx;
  p.hold_until = 0;
  if (p.state == State::Queued) {
    p.deadline = end_of_interest(p);
    return fx;
  }
  queue(p, fx);
  return fx;
}

Effects on_success(Publication& p, const Event& e, Random& random, MonoMs now) {
  if (p.op == Op::Remove) return end(p, Ending::Removed, 0, "");
  Effects fx;
  fx.complete = fx.write_row = true;
  int64_t granted = e.expires < 0 ? p.asked : std::min<int64_t>(e.expires, p.asked);
  if (granted == 0) {  // stored and dropped in one breath: nothing is there
    fx.forget_etag = true;
    p.known = Known::Never;
    p.grant_end = 0;
    p.attempts = static_cast<uint8_t>(std::min(p.attempts + 1, 255));
    set_state(p, State::Backoff, std::min(p.wanted_end, now + backoff(p.attempts, -1, random)));
    return fx;
  }
  fx.take_etag = e.etag == Tag::Usable;
  // Without a SIP-ETag: an old one is kept; with none yet, live until the refresh point and then in full. One that cannot be sent
  // back has taken the place of the old one over there.
  fx.forget_etag = e.etag == Tag::Unusable;
  if (fx.forget_etag) p.known = Known::Never;
  else if (fx.take_etag || p.known != Known::Never) p.known = Known::Current;
  fx.orphan = p.known == Known::Never;
  p.attempts = 0;
  p.full_tried = false;
  p.hold_until = 0;
  p.grant_end = p.sent_at + granted * 1000;
  set_state(p, State::Live, live_deadline(p, random, static_cast<uint32_t>(granted)));
  if (p.wanted_end <= now) {  // it ended while its request was out
    Effects over = lifetime_over(p, now);
    fx.enqueue = over.enqueue;
    fx.ending = over.ending;
  }
  return fx;
}

Effects on_failure(Publication& p, const Event& e, Random& random, MonoMs now) {
  Effects fx;
  fx.complete = fx.write_row = true;
  p.attempts = static_cast<uint8_t>(std::min(p.attempts + 1, 255));
  MonoMs retry = now + backoff(p.attempts, e.retry_after, random);
  p.hold_until = e.retry_after > 0 ? now + std::min(e.retry_after, kMaxRetryAfter) * 1000 : 0;
  set_state(p, State::Backoff, std::min(retry, end_of_interest(p)));
  return fx;
}

Effects on_lost_state(Publication& p, const Event& e, Random& random, MonoMs now) {
  if (p.op == Op::Remove) return end(p, Ending::Removed, 0, "");
  bool told_of_etag = p.known != Known::Never;
  p.known = Known::Never;
  if (told_of_etag) p.grant_end = 0;
  if (!p.publishable) {
    Effects fx = end(p, Ending::StateLost, 0, "");
    fx.forget_etag = true;
    return fx;
  }
  Effects fx;
  if (p.full_tried || !told_of_etag) {
    fx = on_failure(p, e, random, now);
  } else {
    p.full_tried = true;
    fx.write_row = true;
    queue(p, fx);
    if (p.wanted_end <= now) fx = lifetime_over(p, now);
  }
  fx.forget_etag = true;
  return fx;
}

Effects on_too_brief(Publication& p, const Event& e, Random& random, MonoMs now) {
  uint32_t longer = p.op == Op::Remove ? 0 : longer_to_ask(p.asked, e.min_expires, e.max_expires);
  if (longer) p.server_min = longer;
  // At once for the first in a row only: a server that raises its bound each time gets no storm.
  if (!longer || p.attempts > 0) return on_failure(p, e, random, now);
  p.attempts = 1;
  Effects fx;
  queue(p, fx);
  return fx;
}

Effects on_fatal(Publication& p) {
  if (p.op == Op::Remove || p.known == Known::Never) return end(p, Ending::Refused, 0, "");
  // The record ends, but the server still holds its last good state under an entity-tag we know: withdraw it.
  Effects fx;
  fx.complete = fx.write_row = true;
  fx.ending = Ending::Refused;
  p.wanted = Wanted::Leaving;
  queue(p, fx);
  return fx;
}

Effects on_loaded(Publication& p, const Event& e, MonoMs now) {
  if (p.wanted == Wanted::Something && p.wanted_end <= now) return lifetime_over(p, now);
  Op op = next_op(p);
  if (op == Op::None) return end(p, Ending::NeverSent, 404, "No record");
  // Live before, and live again: also without an entity-tag (2xx without SIP-ETag), until the refresh point.
  if (e.due >= 0 && (op == Op::Refresh || (op == Op::Initial && p.grant_end > now))) {
    set_state(p, State::Live, std::min(p.wanted_end, p.grant_end >= p.wanted_end ? p.wanted_end : e.due));
    return {};
  }
  return prepare(p);
}

}  // namespace

Effects step(Publication& p, const Event& e, Random& random, MonoMs now) {
  Effects fx;
  switch (e.input) {
    case Input::Request: return on_request(p, e, now);
    case Input::Proceed: queue(p, fx); return fx;
    case Input::Slot:
      p.op = next_op(p);
      p.sent_at = now;
      set_state(p, State::Sending, kNever);
      return fx;
    case Input::Due: return on_due(p, now);
    case Input::Success: return on_success(p, e, random, now);
    case Input::LostState: return on_lost_state(p, e, random, now);
    case Input::TooBrief: return on_too_brief(p, e, random, now);
    case Input::Transient:
    case Input::Forbidden:
    case Input::Auth:
      fx = on_failure(p, e, random, now);
      fx.orphan = !e.answered && p.op != Op::Remove;  // the server may have stored what we never heard of
      return fx;
    case Input::Fatal: return on_fatal(p);
    case Input::Shutdown:
      fx.complete = true;
      return fx;
    case Input::Loaded: return on_loaded(p, e, now);
    case Input::Stored: return fx;
  }
  return fx;
}

}  // namespace pua
