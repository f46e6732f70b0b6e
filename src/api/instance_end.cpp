// Instance: flush, shutdown, and the end.
#include <algorithm>

#include "api/instance.h"

namespace pua {

namespace {

// Most of the time a shutdown has goes to answers that are still to come; the rest is for the store.
constexpr int64_t kDrainShare = 60;  // percent
constexpr MonoMs kLastWrite = 100;   // ms that the end of an instance may take to write, when it was not shut down before

}  // namespace

void Instance::flush(std::function<void(bool)> done) {
  Frame frame(*this);
  MonoMs now = loop_->now();
  flushes_.push_back({now, now + settings_.shutdown_timeout * 1000, now, false, std::move(done)});
  writer_->flush(now);
  arm_progress();
}

void Instance::shutdown(std::function<void(bool)> done) {
  Frame frame(*this);
  MonoMs now = loop_->now();
  shutdown_done_.push_back(std::move(done));
  if (phase_ == Phase::Running) {
    enter(Phase::Draining);
    shutdown_until_ = now + settings_.shutdown_timeout * 1000;
    drain_until_ = now + settings_.shutdown_timeout * 10 * kDrainShare;
    engine_->stop_taking();
    if (settings_.unpublish_on_shutdown) engine_->remove_all();
  }
  arm_progress();
}

// The timer covers what no other callback would notice: deadlines, and a flush or shutdown that has nothing to wait for.
void Instance::arm_progress() {
  MonoMs due = kNever;
  for (const Flush& f : flushes_) due = std::min(due, written() ? 0 : f.deadline);
  switch (phase_) {
    case Phase::Draining: due = std::min(due, engine_->quiet() ? 0 : drain_until_); break;
    case Phase::Closing: due = 0; break;
    case Phase::Flushing: due = std::min(due, settled() ? 0 : shutdown_until_); break;
    case Phase::Stopped: due = shutdown_done_.empty() ? due : 0; break;
    case Phase::Running:
    case Phase::Ended: break;
  }
  progress_timer_->arm(due);
}

void Instance::progress() {
  if (phase_ == Phase::Ended || (flushes_.empty() && shutdown_done_.empty())) return;
  MonoMs now = loop_->now();
  progress_flushes(now);
  if (phase_ != Phase::Ended) progress_shutdown(now);
  if (phase_ != Phase::Ended) arm_progress();
}

// All that was accepted is in a row.
bool Instance::written() const { return writer_->clean() && !engine_->rewriting() && engine_->unplaced() == 0; }

// All that is marked to be written is in the rows of the table, where whoever reads it finds it, and not in the journal of
// narrow writes only.
bool Instance::settled() const { return writer_->clean() && !engine_->rewriting() && !writer_->folding(); }

// How many records have something that is in no row.
uint64_t Instance::unwritten() const { return writer_->backlog() + engine_->unplaced(); }

// A flush is over when all that came before it is in a row. What came later does not count: neither requests that wait for
// their row or behind another one, nor rows that were marked. A request of before is marked only when its wait ends.
void Instance::progress_flushes(MonoMs now) {
  if (flushes_.empty()) return;
  MonoMs unplaced = engine_->unplaced_since();
  MonoMs unwritten = writer_->clean() ? kNever : now - writer_->stats(now).oldest_ms;
  if (engine_->rewriting()) unwritten = 0;
  bool hurry = false;
  std::erase_if(flushes_, [&](Flush& f) {
    bool waits = unplaced <= f.asked;
    if (f.waits && !waits) {
      f.marked = now;
      hurry = true;
    }
    f.waits = waits;
    bool ok = !waits && unwritten > f.marked;
    if (!ok && now < f.deadline) return false;
    over_.push_back({std::move(f.done), ok});
    return true;
  });
  if (hurry) writer_->flush(now);
  call_over();
}

// One of them may end the instance: the others are then called by end(), which finds them here.
void Instance::call_over() {
  while (!over_.empty()) {
    Over first = std::move(over_.front());
    over_.pop_front();
    first.done(first.ok);
  }
}

void Instance::progress_shutdown(MonoMs now) {
  if (phase_ == Phase::Draining && (engine_->quiet() || now >= drain_until_)) {
    enter(Phase::Closing);
    writer_->flush(now);
  }
  if (phase_ == Phase::Closing) {
    bool over = engine_->shutdown_some();
    if (phase_ == Phase::Ended || !over) return;
    enter(Phase::Flushing);
    writer_->flush(now);
  }
  if (phase_ == Phase::Flushing && (settled() || now >= shutdown_until_)) {
    enter(Phase::Stopped);
    if (!written())
      log_.error("shutdown: %llu records%s could not be written in time",
                 static_cast<unsigned long long>(unwritten()),
                 engine_->rewriting() ? ", and others that the database had lost," : "");
    watch_clock(now);
    save_clock();
  }
  if (phase_ == Phase::Stopped) {
    for (auto& done : shutdown_done_) over_.push_back({std::move(done), written()});
    shutdown_done_.clear();
    call_over();
  }
}

// --- the end --------------------------------------------------------------------------------------------------------

void Instance::destroy() {
  std::shared_ptr<Instance> keep = std::move(self_);
  if (in_log_ == 0) {
    end();
  } else {   // inside the log's callback anything may be on the stack, half done
    end_wanted_ = true;
    if (frames_ == 0) loop_->defer("end", [self = shared_from_this()] { Frame frame(*self); });
  }
  log_over_ = true;   // whoever let go of the instance may free what the log's callback needs
}

// Everything that is still to be called is called here, wherever on the stack the end was asked for: the owner may free what
// its callbacks need as soon as this returns. Each kind has one queue that owns what has not been called yet, also while others
// of it are being called: the engine's deliveries, over_, and the loop's posts.
void Instance::end() {
  if (phase_ == Phase::Ended) return;
  Frame frame(*this);
  enter(Phase::Ended);
  loop_->close();
  engine_->shutdown();
  for (Flush& f : flushes_) over_.push_back({std::move(f.done), false});
  flushes_.clear();
  for (auto& done : shutdown_done_) over_.push_back({std::move(done), false});
  shutdown_done_.clear();
  call_over();
  loop_->drop_posts();   // a posted function of the host runs when it is dropped
  write_rest();
}

void Instance::leave() {
  if (frames_ == 1 && end_wanted_ && in_log_ == 0) end();
  if (--frames_ == 0 && phase_ == Phase::Ended) take_apart();
}

void Instance::take_apart() {
  if (!loop_) return;
  // The watchdog outlives this object where one of its scopes is on the stack, and must not log any more.
  loop_->watchdog().set_slow_ms(INT64_MAX / 2000000);
  engine_timer_.reset();
  store_timer_.reset();
  progress_timer_.reset();
  sip_.reset();
  driver_.reset();
  writer_.reset();
  store_.reset();
  engine_.reset();
  loop_.reset();
}

void Instance::write_rest() {
  MonoMs now = loop_->now();
  MonoMs until = now + kLastWrite;
  writer_->flush(now);
  while (!writer_->clean() && now < until && (writer_->next_due() <= now || writer_->writing())) {
    writer_->run(now);
    store_->pump(until - now);  // a store that works by events of its own (MariaDB) gets no more of them from the loop
    now = loop_->now();
  }
  if (unwritten() > 0)
    log_.error("%llu records are unwritten at the end of the instance", static_cast<unsigned long long>(unwritten()));
  save_clock();
}

}  // namespace pua
