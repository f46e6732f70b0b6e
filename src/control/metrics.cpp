#include "control/metrics.h"

#include <algorithm>

#include "config/man_page.h"

namespace pua {

namespace {

using In = const MetricsInput&;
using Out = MetricWriter&;

// Statistics that a family of the list below shows in another way: with labels, or in seconds.
struct ShownElsewhere {
  std::string_view statistic, metric;
};
constexpr ShownElsewhere kShownElsewhere[] = {
    {"records", "pua_publications"},   // the sum of all states, as with subscriptions
    {"live", "pua_publications{state=\"live\"}"},
    {"sending", "pua_publications{state=\"sending\"}"},
    {"queued", "pua_publications{state=\"queued\"}"},
    {"intent", "pua_publications{state=\"intent\"}"},
    {"backoff", "pua_publications{state=\"backoff\"}"},
    {"gone", "pua_publications{state=\"gone\"}"},
    {"in_flight", "pua_sip_requests_in_flight"},
    {"requests_initial", "pua_sip_requests_total{method=\"PUBLISH\",kind=\"initial\"}"},
    {"requests_refresh", "pua_sip_requests_total{method=\"PUBLISH\",kind=\"refresh\"}"},
    {"requests_modify", "pua_sip_requests_total{method=\"PUBLISH\",kind=\"modify\"}"},
    {"requests_remove", "pua_sip_requests_total{method=\"PUBLISH\",kind=\"remove\"}"},
    {"replies_2xx", "pua_sip_replies_total{class=\"2xx\"}"},   // of both methods together, as with those that follow
    {"replies_3xx", "pua_sip_replies_total{class=\"3xx\"}"},
    {"replies_4xx", "pua_sip_replies_total{class=\"4xx\"}"},
    {"replies_5xx", "pua_sip_replies_total{class=\"5xx\"}"},
    {"replies_6xx", "pua_sip_replies_total{class=\"6xx\"}"},
    {"timeouts", "pua_sip_replies_total{class=\"timeout\"}"},
    {"transport_errors", "pua_sip_replies_total{class=\"transport_error\"}"},
    {"subscriptions", "pua_subscriptions"},
    {"subs_live", "pua_subscriptions{state=\"live\"}"},
    {"subs_waiting", "pua_subscriptions{state=\"waiting\"}"},
    {"subs_backoff", "pua_subscriptions{state=\"backoff\"}"},
    {"subscribes_initial", "pua_sip_requests_total{method=\"SUBSCRIBE\",kind=\"initial\"}"},
    {"subscribes_refresh", "pua_sip_requests_total{method=\"SUBSCRIBE\",kind=\"refresh\"}"},
    {"subscribes_remove", "pua_sip_requests_total{method=\"SUBSCRIBE\",kind=\"remove\"}"},
    {"subscribes_fetch", "pua_sip_requests_total{method=\"SUBSCRIBE\",kind=\"fetch\"}"},
    {"store_oldest_ms", "pua_store_oldest_unwritten_seconds"},
    {"store_flush_max_ms", "pua_store_write_max_seconds"},
    {"loop_slow", "pua_loop_slow_callbacks_total"},   // the sum of all names
    {"loop_max_ms", "pua_loop_callback_max_seconds"},
};

void add_states(const std::vector<StateCount>& states, Out out) {
  for (const StateCount& s : states) out.add(s.records, {{"state", s.state}});
}

void add_requests(In in, Out out) {
  const Stats& s = in.stats;
  out.add(s.requests_initial, {{"method", "PUBLISH"}, {"kind", "initial"}});
  out.add(s.requests_refresh, {{"method", "PUBLISH"}, {"kind", "refresh"}});
  out.add(s.requests_modify, {{"method", "PUBLISH"}, {"kind", "modify"}});
  out.add(s.requests_remove, {{"method", "PUBLISH"}, {"kind", "remove"}});
  out.add(s.subscribes_initial, {{"method", "SUBSCRIBE"}, {"kind", "initial"}});
  out.add(s.subscribes_refresh, {{"method", "SUBSCRIBE"}, {"kind", "refresh"}});
  out.add(s.subscribes_remove, {{"method", "SUBSCRIBE"}, {"kind", "remove"}});
  out.add(s.subscribes_fetch, {{"method", "SUBSCRIBE"}, {"kind", "fetch"}});
}

constexpr Method kBoth[] = {Method::Publish, Method::Subscribe};

void add_finals(In in, Out out) {
  for (Method m : kBoth) {
    for (size_t f = 0; f < kFinals; f++)
      out.add(in.more.sip.of(m).finals[f], {{"method", method_name(m)}, {"class", final_name(static_cast<Final>(f))}});
  }
}

void add_latency(In in, Out out) {
  for (Method m : kBoth) out.add_histogram(in.more.sip.of(m).latency, {{"method", method_name(m)}});
}

void add_datagrams(In in, Out out) {
  const LaneCounters& c = in.more.stack.lane;
  const std::pair<const char*, uint64_t> all[] = {
      {"request_out", c.sent},           {"request_repeated", c.resent},       {"response", c.scanned + c.parsed},
      {"response_repeated", c.repeated}, {"response_foreign", c.foreign},      {"stray", c.stray},
      {"request_in", c.requests},        {"network_error", c.network_errors},  {"errors_unheard", c.errors_unheard},
      {"flood", c.floods},               {"answer_dropped", c.answers_dropped}};
  for (const auto& [what, n] : all) out.add(static_cast<int64_t>(n), {{"what", what}});
}

void add_connections(In in, Out out) {
  const InboundCounters& c = in.more.stack.inbound;
  out.add(static_cast<int64_t>(c.known), {{"kind", "known"}});
  out.add(static_cast<int64_t>(c.open - c.known), {{"kind", "stranger"}});
}

void add_ended_connections(In in, Out out) {
  for (size_t i = 0; i < kInboundEnds; i++)
    out.add(static_cast<int64_t>(in.more.stack.inbound.ended[i]), {{"reason", kInboundEndNames[i]}});
}

// Reasons with their explanation, from the list that names them.
constexpr const char* kEndedHelp =
    "connections from outside that ended, by reason"
#define X(name, help) "; " #name ": " help
    PUA_INBOUND_ENDS(X)
#undef X
    ;

int64_t queued(const std::vector<StateCount>& states) {
  int64_t all = 0;
  for (const StateCount& s : states) all += s.state == std::string_view("queued") ? s.records : 0;
  return all;
}

const MetricFamily kList[] = {
    {"pua_build_info", "gauge", "version", "always 1; the version is its label",
     [](In in, Out out) { out.add(1, {{"version", in.version}}); }},
    {"pua_process_start_time_seconds", "gauge", "", "when it began to serve, in seconds since 1970",
     [](In in, Out out) { out.add(in.started_at); }},
    {"pua_uptime_seconds", "gauge", "", "how long it has been serving, whatever the calendar says",
     [](In in, Out out) { out.add_seconds(in.uptime_us); }},

    {"pua_publications", "gauge", "state", "publications in memory",
     [](In in, Out out) { add_states(in.more.publications, out); }},
    {"pua_subscriptions", "gauge", "state", "subscriptions in memory",
     [](In in, Out out) { add_states(in.more.subscriptions, out); }},

    {"pua_sip_requests_total", "counter", "method, kind", "SIP requests made; repetitions with credentials are not counted",
     add_requests},
    {"pua_sip_replies_total", "counter", "method, class",
     "how SIP requests ended: with a final reply of this class, a timeout, a transport_error (it could not be sent), or local "
     "(our own SIP stack gave it up)",
     add_finals},
    {"pua_sip_request_duration_seconds", "histogram", "method",
     "from a SIP request to its final reply; those without one are left out", add_latency},
    {"pua_caller_wait_seconds", "histogram", "", "from the acceptance of a caller's request to its completion",
     [](In in, Out out) { out.add_histogram(in.more.sip.waits); }},
    {"pua_sip_requests_in_flight", "gauge", "", "SIP requests out", [](In in, Out out) { out.add(in.stats.in_flight); }},
    {"pua_sip_requests_queued", "gauge", "", "SIP requests that wait for a slot, or for a destination that does not answer",
     [](In in, Out out) { out.add(queued(in.more.publications) + queued(in.more.subscriptions)); }},

    {"pua_sip_datagrams_total", "counter", "what",
     "UDP datagrams with sip_lane = yes. Ours: request_out, request_repeated (timer E), answer_dropped (no room to send). What "
     "came in: response (final, to a request of ours), response_repeated, response_foreign (right but for its sender's "
     "address: dropped), stray (to nothing that is out, or no SIP), request_in. network_error: errors that came back (ICMP), "
     "forged ones among them. errors_unheard: times that none were looked at for a second, as too many belonged to no request. "
     "flood: times that the system was asked to let in only a few of the requests, and of what is no SIP",
     add_datagrams},
    {"pua_sip_unanswered_total", "counter", "",
     "requests of strangers that got no answer: there were too many of them, or it would have been too long",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.incoming.unanswered)); }},
    {"pua_sip_other_requests_total", "counter", "", "requests to our addresses that were no NOTIFY (scans, OPTIONS)",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.incoming.others)); }},
    {"pua_sip_failovers_total", "counter", "",
     "requests sent to another server of the same name, as one did not answer, could not be reached or said 503",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.failovers)); }},
    {"pua_sip_server_connections_cut_total", "counter", "",
     "connections to servers that were ended as a message had no end or could not be read",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.streams_cut)); }},
    {"pua_sip_server_connections_strays_total", "counter", "",
     "requests that servers sent over connections to them; these belong to nothing there",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.stream_strays)); }},
    {"pua_sip_connections", "gauge", "kind",
     "connections from outside that are open. known: those that brought a NOTIFY of ours; stranger: all others",
     add_connections},
    {"pua_sip_connections_accepted_total", "counter", "", "connections from outside that were accepted",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.inbound.accepted)); }},
    {"pua_sip_connections_ended_total", "counter", "reason", kEndedHelp, add_ended_connections},
    {"pua_sip_connections_held_octets", "gauge", "",
     "octets of unfinished messages and unread answers that connections from outside hold",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.inbound.held)); }},
    {"pua_sip_connections_messages_total", "counter", "", "whole messages that came over connections from outside",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.inbound.messages)); }},
    {"pua_sip_connections_keepalives_total", "counter", "", "keep-alives of RFC 5626 that were answered",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.inbound.pings)); }},
    {"pua_sip_accept_pauses_total", "counter", "", "times that no connection was accepted for a second for want of descriptors",
     [](In in, Out out) { out.add(static_cast<int64_t>(in.more.stack.inbound.pauses)); }},

    {"pua_sip_challenges_total", "counter", "what",
     "what became of challenges (401, 407) and of credentials: answered; forgotten: a remembered answer that was refused; "
     "rejected: our password was refused; unanswered: no credentials for the realm, or an algorithm that we do not know",
     [](In in, Out out) {
       const DigestCounters& c = in.more.stack.digest;
       const std::pair<const char*, uint64_t> all[] = {
           {"answered", c.answered}, {"forgotten", c.forgotten}, {"rejected", c.rejected}, {"unanswered", c.unanswered}};
       for (const auto& [what, n] : all) out.add(static_cast<int64_t>(n), {{"what", what}});
     }},
    {"pua_sip_names_total", "counter", "what",
     "names of servers. lookup: all lookups; of these failed, and of those unanswered by the name servers; stale: an older "
     "answer was used on; refused: requests that a limit turned away; config_read: resolv.conf or hosts was read again",
     [](In in, Out out) {
       const LocatorCounters& c = in.more.stack.names;
       const std::pair<const char*, uint64_t> all[] = {
           {"lookup", c.lookups}, {"failed", c.failed},   {"unanswered", c.unanswered},
           {"stale", c.stale},    {"refused", c.refused}, {"config_read", c.config_reads}};
       for (const auto& [what, n] : all) out.add(static_cast<int64_t>(n), {{"what", what}});
     }},

    {"pua_store_up", "gauge", "", "0 while the database takes no writes or cannot be read, else 1",
     [](In in, Out out) { out.add(in.more.store_up); }},
    {"pua_store_oldest_unwritten_seconds", "gauge", "", "age of the oldest unwritten change",
     [](In in, Out out) { out.add_seconds(in.stats.store_oldest_ms * 1000); }},
    {"pua_store_write_duration_seconds", "histogram", "", "how long writes took, each of a group of rows",
     [](In in, Out out) { out.add_histogram(in.more.writes); }},
    {"pua_store_write_max_seconds", "gauge", "", "longest write so far",
     [](In in, Out out) { out.add_seconds(in.stats.store_flush_max_ms * 1000); }},

    {"pua_loop_callback_duration_seconds", "histogram", "", "how long callbacks of the event loop took",
     [](In in, Out out) { out.add_histogram(in.more.callbacks); }},
    {"pua_loop_callback_max_seconds", "gauge", "", "longest callback so far",
     [](In in, Out out) { out.add_seconds(in.more.longest_callback_us); }},
    {"pua_loop_slow_callbacks_total", "counter", "name", "callbacks that ran longer than loop_slow, by the name to blame",
     [](In in, Out out) {
       for (const Watchdog::Slow& s : in.more.slow_callbacks) out.add(static_cast<int64_t>(s.count), {{"name", s.name}});
     }},
};

// nullptr: it has a family of its own.
const ShownElsewhere* shown_elsewhere(std::string_view name) {
  auto* found = std::find_if(std::begin(kShownElsewhere), std::end(kShownElsewhere),
                             [&](const ShownElsewhere& s) { return s.statistic == name; });
  return found == std::end(kShownElsewhere) ? nullptr : found;
}

std::vector<MetricFamily> make_families() {
  std::vector<MetricFamily> all(std::begin(kList), std::end(kList));
  auto add = [&](std::string name, bool gauge, std::string_view help, void (*write)(In, Out)) {
    all.push_back({"pua_" + name + (gauge ? "" : "_total"), gauge ? "gauge" : "counter", "", help, write});
  };
#define X(name, kind, help) \
  if (!shown_elsewhere(#name)) add(#name, #kind[0] == 'g', help, [](In in, Out out) { out.add(in.stats.name); });
  PUA_STATS(X)
#undef X
#define X(name, help) add("control_" #name, false, help, [](In in, Out out) { out.add(in.control.name); });
  PUA_CONTROL_STATS(X)
#undef X
  return all;
}

}  // namespace

const std::vector<MetricFamily>& metric_families() {
  static const std::vector<MetricFamily> kAll = make_families();
  return kAll;
}

std::string metrics_text(const MetricsInput& in) {
  std::string out;
  out.reserve(24 * 1024);
  for (const MetricFamily& f : metric_families()) {
    MetricWriter samples(out, f.name, f.type, f.help);
    f.write(in, samples);
  }
  return out;
}

std::vector<StatisticInfo> statistics() {
  std::vector<StatisticInfo> all;
  auto add = [&](std::string name, bool gauge, std::string_view help) {
    const ShownElsewhere* other = shown_elsewhere(name);
    std::string metric = other ? std::string(other->metric) : "pua_" + name + (gauge ? "" : "_total");
    all.push_back({std::move(name), gauge ? "gauge" : "counter", std::move(metric), help});
  };
#define X(name, kind, help) add(#name, #kind[0] == 'g', help);
  PUA_STATS(X)
#undef X
#define X(name, help) add("control_" #name, false, help);
  PUA_CONTROL_STATS(X)
#undef X
  return all;
}

// A list of names with their help. behind: what stands behind a name.
template <class Items, class Behind>
static std::string man_list(const Items& items, Behind behind) {
  std::string out = ".Bl -tag -width Ds\n";
  for (const auto& item : items) {
    out.append(".It Cm ").append(item.name).append(" Pq ").append(item.type).append(behind(item)).append("\n");
    add_mdoc(out, item.help);
  }
  return out + ".El\n";
}

std::string man_metrics() {
  return man_list(metric_families(),
                  [](const MetricFamily& f) { return f.labels.empty() ? "" : " by " + mdoc_text(f.labels, true); });
}

std::string man_statistics() {
  return man_list(statistics(), [](const StatisticInfo& s) { return " , as the metric Li " + mdoc_text(s.metric, true); });
}

}  // namespace pua
