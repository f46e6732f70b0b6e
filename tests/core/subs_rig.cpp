#include "tests/core/subs_rig.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {

SubsRig::SubsRig() {
  settings.contact = kOurContact;
  events[kPresence].accept = "application/pidf+xml";
  events[kWinfo] = {kWinfo, "presence.winfo", "application/watcherinfo+xml", "application/watcherinfo+xml"};
  restart();
}

void SubsRig::boot() {
  Rig::boot();
  listen();
}

void SubsRig::listen() {
  handler = engine->observe_notifies(mask, [this](const NotifyView& n) {
    Heard h;
    h.uri = n.record.pres_uri;
    h.id = n.record.pres_id;
    h.state = n.state;
    h.reason = n.reason;
    h.content_type = n.content_type;
    h.body = n.body;
    h.dialog = n.record.dialog;
    h.machine = n.record.state;
    h.expires = n.expires;
    h.retry_after = n.retry_after;
    h.gap = n.gap;
    h.bad = n.bad;
    h.headers = n.headers;
    h.source = n.record.source;
    h.cb_param = n.record.cb_param;
    heard.push_back(std::move(h));
    if (when_heard) when_heard(n);
  });
}

// --- owners ------------------------------------------------------------------------------------------------------

Call& SubsRig::ask(const Want& w) {
  SubscribeRequest q;
  q.source = w.source;
  q.event = w.event;
  q.pres_uri = w.uri;
  q.id = w.id;
  q.watcher_uri = w.watcher;
  q.to_uri = w.to;
  q.contact = w.contact;
  q.remote_target = w.target;
  q.event_id = w.event_id;
  q.expires = w.expires;
  q.keep_existing = w.keep_existing;
  q.extra_headers = w.headers;
  q.outbound_proxy = w.proxy;
  q.cb_param = w.cb_param;
  q.body = w.body;
  q.content_type = w.content_type;
  return call([&](RequestDone done) { return engine->subscribe(q, std::move(done), now); });
}

Call& SubsRig::subscribe(const Want& w) {
  Call& c = ask(w);
  settle();
  return c;
}

Call& SubsRig::unsubscribe(const Want& w) {
  Want none = w;
  none.expires = 0;
  return subscribe(none);
}

Call& SubsRig::live(const Want& w, int64_t grant) {
  Call& c = subscribe(w);
  accept(grant);
  notify({.expires = grant, .event = std::string(by_flag(w.event)->name), .event_id = w.event_id});
  return c;
}

// --- the notifier ------------------------------------------------------------------------------------------------

void SubsRig::accept(int64_t granted) {
  answer({.expires = granted, .to_tag = "n1", .contact = kNotifier});
}

NotifyAnswer SubsRig::notify(const Bring& b) {
  NotifyRequest n;
  std::string call_id = b.call_id ? *b.call_id : last().call_id, local_tag = b.local_tag ? *b.local_tag : last().from_tag;
  n.call_id = call_id;
  n.local_tag = local_tag;
  n.remote_tag = b.remote_tag;
  n.cseq = b.cseq ? *b.cseq : ++notify_cseq;
  n.event = b.event;
  n.event_id = b.event_id;
  n.state = b.state;
  n.reason = b.reason;
  n.expires = b.expires;
  n.left_out = b.left_out;
  n.retry_after = b.retry_after;
  n.contact = b.contact;
  n.route_set = b.route_set;
  n.route_problem = b.route_problem;
  n.sender = b.sender;
  n.content_type = b.content_type == "-" ? std::string_view() : std::string_view(b.content_type);
  n.headers = b.headers;
  if (b.content_type.empty() && !b.body.empty()) n.content_type = "application/pidf+xml";
  n.body = b.body;
  size_t before = heard.size();
  NotifyAnswer a = engine->on_notify(n, now);
  if (heard.size() != before) FAIL("a handler was called inside on_notify");
  settle();
  return a;
}

int SubsRig::refused(const Bring& b) {
  std::string before = view_all();
  size_t requests = sent.size(), handled = heard.size();
  Stats was = stats();
  NotifyAnswer a = notify(b);
  CHECK(a.status >= 300);
  CHECK(!a.reason.empty());
  TEXT_EQUAL(before, view_all());
  LONGS_EQUAL(requests, sent.size());
  LONGS_EQUAL(handled, heard.size());
  Stats is = stats();
  LONGS_EQUAL(was.notifies, is.notifies);
  LONGS_EQUAL(was.store_backlog, is.store_backlog);
  LONGS_EQUAL(was.notifies_bad + was.notifies_unknown + 1, is.notifies_bad + is.notifies_unknown);
  return a.status;
}

// --- looking in --------------------------------------------------------------------------------------------------

const SubscriptionRecord* SubsRig::sub(const Want& w) const {
  return engine->find_subscription({w.source, w.event, w.uri, w.id, w.watcher, w.to});
}

std::string SubsRig::state(const Want& w) const {
  const SubscriptionRecord* s = sub(w);
  return s ? sub::state_name(s->m->state) : "none";
}

void SubsRig::text(const Want& w, const std::function<void(const RecordView&)>& fn) const {
  ListFilter f;
  f.pres_uri = w.uri;
  f.event = w.event;
  f.source = w.source;
  f.kind = Kind::Subscription;
  engine->list(f, 0, 1000, [&](const RecordView& v) {
    if (v.pres_id == w.id && v.watcher_uri == w.watcher) fn(v);
  }, now);
}

std::string SubsRig::dialog(const Want& w) const {
  std::string found = "none";
  text(w, [&](const RecordView& v) { found = v.dialog; });
  return found;
}

std::string SubsRig::view_all(const Want& w) const {
  std::string all;
  text(w, [&](const RecordView& v) {
    for (std::string_view RecordView::*f : Snapshot::kTexts) all.append(v.*f) += '|';
    for (int64_t n : {v.id, v.expires_in, v.wanted_in, v.next_in_ms, int64_t{v.cseq}, int64_t{v.version},
                      int64_t{v.notify_cseq}, int64_t{v.notifies}, v.notify_ago_ms})
      all += std::to_string(n) + '|';
  });
  return all;
}

}  // namespace pua::test
