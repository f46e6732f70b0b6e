// pua_watch and pua_unwatch: a client asks to be told of NOTIFYs as they come.
#include "control/commands.h"
#include "control/filters.h"
#include "control/json_writer.h"
#include "control/params.h"

namespace pua {

// --- pua_watch -----------------------------------------------------------------------------------

enum WatchParam : size_t { kWatchUri, kWatchEvent, kWatchWatcher };

static constexpr ParamSpec kWatchParams[] = {
    {"presentity_uri", "uri", ParamType::String, true, "NOTIFYs about this presentity; a trailing * matches any rest"},
    {"event_package", "event", ParamType::String, true, "of this event package"},
    {"watcher_uri", "watcher", ParamType::String, true, "of this watcher's subscriptions"},
};

static void run_watch(ControlContext& context, const Params& p, const CallPtr& call) {
  if (!call->caller().can_be_told())
    return call->error(501, "Only on the datagram socket, from a client with an address: here is no way back for NOTIFYs");
  WatchFilter filter{std::string(p.text(kWatchUri)), std::string(p.text(kWatchWatcher)), 0};
  if (!read_pattern("presentity_uri", filter.pres_uri, *call) || !read_event(context, p.text(kWatchEvent), *call, filter.event))
    return;
  auto added = context.watches.add(call->caller(), std::move(filter));
  if (!added && added.code() == Errc::too_large) {
    context.counters.watches_refused++;
    return call->error(503, "Too many watches", added.error().message);
  }
  if (!added) return call->error(501, "There is no way back for NOTIFYs", added.error().message);
  std::string result;
  JsonWriter(result).begin_object().member("watch", added->id).member("new", added->fresh).end_object();
  call->result(result);
}

const CommandSpec kPuaWatch = {
    .name = "pua_watch",
    .other_name = "pua.watch",
    .params = kWatchParams,
    .help = "Sends each NOTIFY that matches to this client, as a notification pua_notify, until pua_unwatch.",
    .run = run_watch,
};

// --- pua_unwatch ---------------------------------------------------------------------------------

static constexpr ParamSpec kUnwatchParams[] = {
    {"watch", nullptr, ParamType::Long, true, "this watch; none: all of this client"},
};

static void run_unwatch(ControlContext& context, const Params& p, const CallPtr& call) {
  Watches::Ended ended = context.watches.remove(call->caller().address, p.number(0, 0));
  if (ended.watches == 0 && p.number(0, 0) != 0) return call->error(404, "No such watch of this client");
  std::string result;
  JsonWriter w(result);
  w.begin_object().member("watches", static_cast<int64_t>(ended.watches));
  w.member("lost", static_cast<int64_t>(ended.lost)).end_object();
  call->result(result);
}

const CommandSpec kPuaUnwatch = {
    .name = "pua_unwatch",
    .other_name = "pua.unwatch",
    .params = kUnwatchParams,
    .help = "Ends watches of this client; tells how many messages it lost.",
    .run = run_unwatch,
};

}  // namespace pua
