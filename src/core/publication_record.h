// PublicationRecord: one publication: its texts, its machine, and its callers. Records never move in memory. Only Publications
// creates, changes and frees them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/packed_strings.h"
#include "core/entity.h"
#include "core/publication.h"
#include "core/types.h"

namespace pua {

// Key {source, event, presentity URI, id}.
struct PublicationKey {
  int32_t source = 0, event = 0;
  std::string_view pres_uri, id;
};

// The request that waits because another one is out. A newer one replaces it, but what the newer one leaves out stays: a
// refresh that comes after a modification still carries the modification's body.
struct WaitingPublish : ListHook {   // its keeper has a list of those that owners have asked for
  MonoMs since = 0;                       // when the first of them was accepted
  bool removal = false;
  bool has_body = false;                  // body, content_type and tuple_id below count
  bool has_headers = false;
  bool has_proxy = false;                 // outbound_proxy counts; where it is empty, the default is used again
  MonoMs wanted_end = kNever;
  uint32_t version = 0;
  std::string body, content_type, tuple_id, extra_headers, outbound_proxy;
  void* cb_param = nullptr;
  WaiterList callers;

  void make_removal() { removal = true, has_proxy = false; }   // it names no next hop, so it goes where the publication went
};

// What only few records have at a time.
struct PublicationExtra {
  WaiterList callers;                     // of the request under way
  std::unique_ptr<WaitingPublish> waiting;
  void* cb_param = nullptr;
  MonoMs asked_at = 0;                    // state Idle: when the first of the requests came that have made it last since then
};

struct PublicationRecord : Entity {
  using Key = PublicationKey;
  using State = pua::State;
  using Input = pua::Input;
  using Event = pua::Event;
  using Effects = pua::Effects;
  using Waiting = WaitingPublish;
  static constexpr int kStates = pua::kStates, kInputs = pua::kInputs;
  enum Field { kPresUri, kId, kEtag, kTupleId, kContentType, kExtraHeaders, kProxy, kBody, kFields };

  std::unique_ptr<PublicationRecord> bucket_next;
  PackedStrings<kFields> text;
  std::unique_ptr<PublicationExtra> extra;
  uint64_t call_number = 0;               // the Call-ID is this in hexadecimal, "@host" (core/identifiers.h)
  Machine<Publication> m;
  uint32_t intent_version = 0;            // state Intent: the row's version that must be committed before the request leaves
  uint32_t doc_version = 0;
  uint32_t cseq = 0;                      // last used
  uint32_t tag_number = 0;                // the From tag is this in hexadecimal

  PublicationRecord() : Entity(Kind::Publication) {}
  // Replaces the strings. If any but the entity-tag has changed, the next write carries the whole row.
  void put(const std::array<std::string_view, kFields>& strings) {
    for (size_t i = 0; i < kFields; i++) whole = whole || (i != kEtag && strings[i] != text.get(i));
    text.assign(strings);
  }
  std::string_view pres_uri() const { return text.get(kPresUri); }
  std::string_view pres_id() const { return text.get(kId); }
  std::string_view etag() const { return text.get(kEtag); }
  std::string_view body() const { return text.get(kBody); }
  std::string_view proxy() const { return text.get(kProxy); }
  PublicationKey key() const { return {source, event, pres_uri(), pres_id()}; }
  bool is(const PublicationKey& k) const {
    return source == k.source && event == k.event && pres_uri() == k.pres_uri && pres_id() == k.id;
  }
  static void add_rest(SipHash& h, const PublicationKey& k) {   // adds what the key has besides pres_uri
    h.add(k.id).add((static_cast<uint64_t>(static_cast<uint32_t>(k.source)) << 32) | static_cast<uint32_t>(k.event));
  }
  PublicationExtra& need_extra() {
    if (!extra) extra = std::make_unique<PublicationExtra>();
    return *extra;
  }
};

}  // namespace pua
