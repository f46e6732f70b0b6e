// SubscriptionRecord: one subscription: its texts, its dialog, its machine, its callers. Records never move in memory. Only
// Subscriptions creates, changes and frees them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/hash_index.h"
#include "base/packed_strings.h"
#include "core/entity.h"
#include "core/kept_documents.h"
#include "core/subscription.h"

namespace pua {

struct SubscriptionKey {
  int32_t source = 0, event = 0;
  std::string_view pres_uri, id, watcher_uri, to_uri;
};

// The request that waits because another one is out. A newer one replaces it, but header fields, body and callback parameter
// that the newer one leaves out stay.
struct WaitingSubscribe : ListHook {   // its keeper has a list of those that owners have asked for
  MonoMs since = 0;                       // when the first of them was accepted
  bool removal = false;
  bool has_headers = false;
  MonoMs wanted_end = kNever;
  std::string contact, target, extra_headers, outbound_proxy;
  std::string body, content_type;         // empty: the body that the record has stays
  void* cb_param = nullptr;
  WaiterList callers;

  void make_removal() { removal = true; }
};

// What only few subscriptions have at a time.
struct SubscriptionExtra {
  WaiterList callers;                     // of the request under way
  std::unique_ptr<WaitingSubscribe> waiting;
  // Where a request of the last run is repeated: how many CSeqs that run may have used after it, and when its row was written.
  uint32_t cseq_jump = 0;
  int64_t cseq_since = 0;                 // EpochS
  void* cb_param = nullptr;
  bool keep_existing = false;             // all requests during the load had keep_existing: they count only without a row
};

struct SubscriptionRecord : Entity, HashHook {   // HashHook: where it stands in the index by Call-ID (core/dialogs.h)
  using Key = SubscriptionKey;
  using State = sub::State;
  using Input = sub::Input;
  using Event = sub::Event;
  using Effects = sub::Effects;
  using Waiting = WaitingSubscribe;
  static constexpr int kStates = sub::kStates, kInputs = sub::kInputs;
  // kTarget: Request-URI of an initial request; kRemote: remote target of the dialog.
  enum Field { kPresUri, kId, kWatcher, kTo, kEventId, kContact, kTarget, kExtraHeaders, kProxy, kCallId, kLocalTag, kRemoteTag,
               kRemote, kRouteSet, kBody, kContentType, kFields };

  std::unique_ptr<SubscriptionRecord> bucket_next;
  PackedStrings<kFields> text;
  std::unique_ptr<SubscriptionExtra> extra;
  KeptDocument* kept = nullptr;           // the last NOTIFY's document, while it is among those that are kept
  MonoMs notified_at = 0;                 // when the last NOTIFY of this run came
  Machine<sub::Subscription> m;
  uint32_t intent_version = 0;            // state Intent: the row's version that must be committed before the request leaves
  uint32_t cseq = 0;                      // last used in this dialog
  uint32_t remote_cseq = 0;               // of the last NOTIFY taken in this dialog and run
  uint32_t doc_version = 0;               // of the last document
  uint32_t notifies = 0;                  // taken in this run
  bool has_doc = false;                   // doc_version is known, and no change before it is missing
  uint8_t stale = 0;                      // partial documents in a row that were no newer than the one before
  bool has_remote_cseq = false;           // remote_cseq is known (0 is a possible CSeq)

  SubscriptionRecord() : Entity(Kind::Subscription) {}
  // Replaces the strings. If any but Call-ID and local tag has changed, the next write carries the whole row.
  void put(const std::array<std::string_view, kFields>& strings) {
    for (size_t i = 0; i < kFields; i++) whole = whole || (i != kCallId && i != kLocalTag && strings[i] != text.get(i));
    text.assign(strings);
  }
  std::string_view pres_uri() const { return text.get(kPresUri); }
  std::string_view call_id() const { return text.get(kCallId); }
  std::string_view remote_tag() const { return text.get(kRemoteTag); }
  std::string_view proxy() const { return text.get(kProxy); }
  // The Request-URI of an initial request, and the URI of To.
  std::string_view target() const { return text.get(kTarget).empty() ? pres_uri() : text.get(kTarget); }
  std::string_view to_uri() const { return text.get(kTo).empty() ? pres_uri() : text.get(kTo); }
  bool is(const SubscriptionKey& k) const {
    return source == k.source && event == k.event && pres_uri() == k.pres_uri && text.get(kId) == k.id &&
           text.get(kWatcher) == k.watcher_uri && text.get(kTo) == k.to_uri;
  }
  static void add_rest(SipHash& h, const SubscriptionKey& k) {   // adds what the key has besides pres_uri
    h.add(k.id).add(k.watcher_uri).add(k.to_uri);
    h.add((static_cast<uint64_t>(static_cast<uint32_t>(k.source)) << 32) | static_cast<uint32_t>(k.event));
  }
  SubscriptionExtra& need_extra() {
    if (!extra) extra = std::make_unique<SubscriptionExtra>();
    return *extra;
  }
};

}  // namespace pua
