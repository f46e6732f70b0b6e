#include "core/engine_common.h"

#include <algorithm>
#include <cstdio>

namespace pua {

bool EngineCommon::has_row(const StoreHook& h) {
  return h.written_version != 0 || h.queue != StoreHook::Queue::None || h.remark;
}

Status EngineCommon::room_for_new(size_t size, bool with_row) const {
  if (size >= settings_.max_records)
    return {Errc::too_many_records, "max_records (" + std::to_string(settings_.max_records) + ") is reached"};
  if (with_row && !store_up_ && ports_.store.backlog() >= settings_.max_backlog)
    return {Errc::backlog_full, "the database takes nothing, and max_backlog (" + std::to_string(settings_.max_backlog) +
                                    ") rows wait for it"};
  return success();
}

bool EngineCommon::watched(int32_t source) const {
  return std::any_of(observers_.begin(), observers_.end(), [&](auto& o) { return (o.first & source) != 0; });
}

void EngineCommon::deliver(Entity& e, Delivery d, bool nothing_to_store, MonoMs now) {
  if (nothing_to_store || (e.version != 0 && e.written_version == e.version)) {
    d.result.durable = true;
  } else if (store_up_ && !d.callers.empty()) {
    acks_.add(e, e.version, now + settings_.ack_wait_ms, std::move(d));
    return;
  }
  ready_.push_back(std::move(d));
}

void EngineCommon::settle_acks(Entity& e, uint32_t version, bool ok) {
  // A failed write settles all outcomes of the record: the write will be repeated, and owners need not wait for that.
  while (auto a = acks_.pop(e, ok ? version : e.version)) {
    a->delivery.result.durable = ok;
    ready_.push_back(std::move(a->delivery));
  }
}

bool EngineCommon::log_reply(LogGate& gate, LogLevel level, const char* method, std::string_view uri, int status,
                             const char* what, MonoMs now) {
  uint64_t more = 0;
  if (level > ports_.log.level() || !gate.pass(now, more)) return false;
  char left_out[64] = "";
  if (more) snprintf(left_out, sizeof left_out, " (%llu lines like this left out)", static_cast<unsigned long long>(more));
  auto line = level == LogLevel::error ? &Log::error : level == LogLevel::warning ? &Log::warning : &Log::notice;
  std::string answer = status ? std::to_string(status) + " to " : std::string();
  in_log_++;
  (ports_.log.*line)("%s%s for %.*s: %s%s", answer.c_str(), method, static_cast<int>(uri.size()), uri.data(), what, left_out);
  in_log_--;
  return true;
}

const char* EngineCommon::why_held(std::string_view destination) const {
  switch (outbox_.held(destination)) {
    case Outbox::Held::Silent: return "Destination does not answer, kept";
    case Outbox::Held::Quiet: return "Destination asked for quiet by Retry-After, kept";
    case Outbox::Held::No: break;
  }
  return "";
}

std::string EngineCommon::failure_of(const SipReply& r) {
  switch (r.origin) {
    case ReplyOrigin::Wire:
      if (r.status < 500 || r.status > 599) return {};
      return std::to_string(r.status) + " " + std::string(r.reason) +
             (r.retry_after > 0 ? ", Retry-After: " + std::to_string(r.retry_after) : "");
    case ReplyOrigin::Timeout: return "no answer in time";
    case ReplyOrigin::Transport: return r.reason.empty() ? "the request could not be sent" : std::string(r.reason);
    case ReplyOrigin::Local:   // a request that our own SIP stack could not make, which is told for the request
    case ReplyOrigin::Shutdown: break;
  }
  return {};
}

void EngineCommon::count_final(Method method, const SipReply& reply, MonoMs sent_at, MonoMs now) {
  MethodMeasures& m = measures_.of(method);
  m.finals[static_cast<size_t>(final_of(reply))]++;
  if (reply.origin == ReplyOrigin::Wire) m.latency.add((now - sent_at) * 1000);
}

}  // namespace pua
