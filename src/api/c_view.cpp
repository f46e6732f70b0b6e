#include "api/c_view.h"

#include <climits>
#include <ctime>

namespace pua {

static unsigned from_now(int64_t s) { return s > 0 ? static_cast<unsigned>(time(nullptr) + s) : 0; }

PresView::PresView(const RecordView& v, int ua_flag)
    : pres_uri_(c_str(v.pres_uri)), watcher_uri_(c_str(v.watcher_uri)), proxy_(c_str(v.outbound_proxy)) {
  ua_pres_t& p = pres_;
  p.local_index = static_cast<unsigned>(v.id);
  p.id = c_str(v.pres_id);
  p.pres_uri = &pres_uri_;
  p.event = v.event;
  p.expires = from_now(v.expires_in);
  p.desired_expires = from_now(v.wanted_in);
  p.flag = v.source;
  p.db_flag = v.stored ? NO_UPDATEDB_FLAG : UPDATEDB_FLAG;
  p.ua_flag = ua_flag;
  p.etag = c_str(v.etag);
  p.tuple_id = c_str(v.tuple_id);
  p.waiting_reply = v.state == "sending";
  p.to_uri = c_str(v.to_uri);
  p.watcher_uri = v.kind == Kind::Subscription ? &watcher_uri_ : nullptr;
  p.call_id = c_str(v.call_id);
  p.to_tag = c_str(v.to_tag);
  p.from_tag = c_str(v.from_tag);
  p.cseq = static_cast<int>(v.cseq & INT_MAX);
  p.version = static_cast<int>(v.version & INT_MAX);
  p.outbound_proxy = v.outbound_proxy.empty() ? nullptr : &proxy_;
  p.extra_headers = c_str(v.extra_headers);
  p.record_route = c_str(v.route_set);
  p.remote_contact = c_str(v.remote_target);
  p.contact = c_str(v.contact);
  p.cb_param = v.cb_param;
}

}  // namespace pua
