// C ABI: subscriptions, and questions about their dialogs.
#include <cstdlib>
#include <cstring>

#include "api/c_arguments.h"
#include "api/handle.h"

namespace pua {

namespace {

// What the C structure says, as the engine wants it. The engine checks what the strings hold. ok, or the error, kept.
int to_request(pua_s& h, const subs_info_t& in, SubscribeRequest& q) {
  if (!in.pres_uri) return fail(&h, Errc::bad_argument, "pres_uri is NULL");
  if (!in.watcher_uri) return fail(&h, Errc::bad_argument, "watcher_uri is NULL");
  if (!take(h, "pres_uri", in.pres_uri, q.pres_uri) || !take(h, "id", in.id, q.id) ||
      !take(h, "watcher_uri", in.watcher_uri, q.watcher_uri) || !take(h, "to_uri", in.to_uri, q.to_uri) ||
      !take(h, "contact", in.contact, q.contact) || !take(h, "remote_target", in.remote_target, q.remote_target) ||
      !take(h, "outbound_proxy", in.outbound_proxy, q.outbound_proxy) ||
      !take(h, "extra_headers", in.extra_headers, q.extra_headers) || !take(h, "event_id", in.event_id, q.event_id) ||
      !take(h, "body", in.body, q.body) || !take(h, "content_type", in.content_type, q.content_type))
    return PUA_E_BAD_ARGUMENT;
  if (int rc = take_type(h, in.flag, q.type); rc != PUA_OK) return rc;
  if (!one_bit(in.source_flag)) return fail(&h, Errc::bad_argument, "source_flag is not one source bit");
  if (!one_bit(in.event)) return fail(&h, Errc::bad_argument, "event is not one event bit");
  if (q.to_uri == q.pres_uri) q.to_uri = {};  // one key, not two
  q.source = source_of(in.source_flag);
  q.event = in.event;
  q.expires = in.expires < 0 ? kForEver : in.expires;
  q.keep_existing = in.internal_update_flag != 0;
  q.cb_param = in.cb_param;
  return PUA_OK;
}

// A question about a dialog. ok, or the error, kept.
int to_query(pua_s& h, const ua_pres_t& in, DialogQuery& q) {
  std::string_view to_uri;
  if (!take(h, "call_id", in.call_id, q.call_id) || !take(h, "from_tag", in.from_tag, q.local_tag) ||
      !take(h, "to_tag", in.to_tag, q.remote_tag) || !take(h, "pres_uri", in.pres_uri, q.pres_uri) ||
      !take(h, "to_uri", in.to_uri, to_uri) || !take(h, "watcher_uri", in.watcher_uri, q.watcher_uri) ||
      !take(h, "id", in.id, q.id))
    return PUA_E_BAD_ARGUMENT;
  if (in.event != 0 && !one_bit(in.event)) return fail(&h, Errc::bad_argument, "event is neither 0 nor one event bit");
  if (in.flag != 0 && !one_bit(in.flag)) return fail(&h, Errc::bad_argument, "flag is neither 0 nor one source bit");
  if (q.call_id.empty() && q.pres_uri.empty()) q.pres_uri = to_uri;
  if (q.call_id.empty() && q.pres_uri.empty())
    return fail(&h, Errc::bad_argument, "one of call_id, pres_uri and to_uri is needed");
  q.event = in.event;
  q.source = source_of(in.flag);
  return PUA_OK;
}

// The string and its octets in one block: pua_str_free() frees it.
pua_str_t* copy(std::string_view s) {
  void* block = malloc(sizeof(pua_str_t) + s.size() + 1);
  if (!block) throw std::bad_alloc();
  auto* out = static_cast<pua_str_t*>(block);
  out->s = reinterpret_cast<char*>(out + 1);
  out->len = static_cast<int>(s.size());
  if (!s.empty()) memcpy(out->s, s.data(), s.size());
  out->s[s.size()] = '\0';
  return out;
}

struct ListFree {
  void operator()(list_entry_t* list) const { pua_list_free(list); }
};
using Entries = std::unique_ptr<list_entry_t, ListFree>;

// Puts the string in front of the list.
void push(Entries& list, std::string_view s) {
  auto* entry = static_cast<list_entry_t*>(calloc(1, sizeof(list_entry_t)));
  if (!entry) throw std::bad_alloc();
  Entries made(entry);
  entry->strng = copy(s);
  entry->next = list.release();
  list = std::move(made);
}

}  // namespace

}  // namespace pua

extern "C" {

int pua_send_subscribe(pua_t* p, const subs_info_t* subs) {
  pua::Call call(p);
  if (int rc = call.refusal()) return rc;
  pua_s& h = call.handle();
  try {
    if (!subs) return pua::fail(&h, pua::Errc::bad_argument, "subs is NULL");
    pua::SubscribeRequest q;
    if (int rc = pua::to_request(h, *subs, q); rc != PUA_OK) return rc;
    pua::RequestDone done;
    if (subs->cbrpl) {
      done = [self = h.shared_from_this(), f = subs->cbrpl, param = subs->cbparam](const pua::Outcome& o) {
        pua_reply_s reply{o, self.get(), param, {}};
        f(&reply, param);
      };
    }
    pua::Status s = h.instance->subscribe(q, std::move(done));
    return s ? PUA_OK : pua::fail(&h, s.error());
  } catch (...) {
    return call.caught();
  }
}

static int still_loading(pua_s& h) {
  return pua::fail(&h, pua::Errc::loading, "not known yet: the table is being loaded");
}

int pua_is_dialog(pua_t* p, const ua_pres_t* dialog) {
  return pua::guarded(p, [&](pua_s& h) {
    if (!dialog) return pua::fail(&h, pua::Errc::bad_argument, "dialog is NULL");
    pua::DialogQuery q;
    if (int rc = pua::to_query(h, *dialog, q); rc != PUA_OK) return rc;
    switch (h.instance->engine().find_dialog(q, nullptr)) {
      case pua::DialogFound::Established: return 0;
      case pua::DialogFound::BeingMade: return 1;
      case pua::DialogFound::Unknown: return still_loading(h);
      case pua::DialogFound::No: break;
    }
    return pua::fail(&h, pua::Errc::generic, "there is no such dialog");
  });
}

int pua_get_record_id(pua_t* p, const ua_pres_t* dialog, pua_str_t** rec_id) {
  if (rec_id) *rec_id = nullptr;
  return pua::guarded(p, [&](pua_s& h) {
    if (!dialog || !rec_id) return pua::fail(&h, pua::Errc::bad_argument, "dialog or rec_id is NULL");
    pua::DialogQuery q;
    if (int rc = pua::to_query(h, *dialog, q); rc != PUA_OK) return rc;
    std::string id;
    pua::DialogFound found = h.instance->engine().find_dialog(q, &id);
    if (found == pua::DialogFound::Unknown) return still_loading(h);
    if (found != pua::DialogFound::No) *rec_id = pua::copy(id);
    return PUA_OK;
  });
}

list_entry_t* pua_get_subs_list(pua_t* p, const pua_str_t* did) {
  pua::Entries list;
  int rc = pua::guarded(p, [&](pua_s& h) {
    std::string_view prefix;
    if (!pua::take(h, "did", did, prefix)) return PUA_E_BAD_ARGUMENT;
    if (prefix.empty()) return pua::fail(&h, pua::Errc::bad_argument, "did is NULL or empty");
    if (h.instance->stats().loading) return still_loading(h);
    h.instance->engine().subscriptions_of(
        prefix, [&](const pua::RecordView& v) { pua::push(list, v.pres_uri); }, h.instance->now());
    return PUA_OK;
  });
  return rc == PUA_OK ? list.release() : nullptr;
}

void pua_str_free(pua_str_t* s) { free(s); }

void pua_list_free(list_entry_t* list) {
  while (list) {
    list_entry_t* next = list->next;
    pua_str_free(list->strng);
    free(list);
    list = next;
  }
}

}  // extern "C"
