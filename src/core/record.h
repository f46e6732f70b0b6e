// Record: one publication. What is wanted, what is confirmed, and where its machine stands.
// Records never move in memory. Only the engine creates, changes and frees them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadline_heap.h"
#include "base/list.h"
#include "base/packed_strings.h"
#include "core/publication.h"
#include "core/store_port.h"
#include "core/types.h"

namespace pua {

// Key {source, event, presentity URI, id}; see spec section 4.
struct RecordKey {
  int32_t source = 0, event = 0;
  std::string_view pres_uri, id;
};

// One owner's request, completed exactly once. Owned by the list it stands in.
struct Waiter {
  std::unique_ptr<Waiter> next;
  PublishDone done;
  bool superseded = false;
};

// Waiters in the order they came. The last one is the request that counts; the others were replaced by it.
class WaiterList {
 public:
  WaiterList() = default;
  WaiterList(WaiterList&& o) { append(std::move(o)); }
  WaiterList& operator=(WaiterList&& o) {   // only ever into an empty list: a waiter is never dropped
    append(std::move(o));
    return *this;
  }
  bool empty() const { return !head_; }
  uint32_t size() const { return size_; }
  void push(PublishDone done);
  void mark_superseded();                 // all that are here now
  void append(WaiterList&& other);
  std::unique_ptr<Waiter> pop();

 private:
  std::unique_ptr<Waiter> head_;
  Waiter* tail_ = nullptr;
  uint32_t size_ = 0;
};

// A request that came while another one was out. Replaced by the next one that comes; fields a newer one leaves
// out stay (a refresh after a modify still carries the modify's body).
struct WaitingRequest {
  bool removal = false;
  bool has_body = false;                  // body, content_type and tuple_id below count
  bool has_headers = false, has_proxy = false;
  MonoMs wanted_end = kNever;
  uint32_t version = 0;
  std::string body, content_type, tuple_id, extra_headers, outbound_proxy;
  void* cb_param = nullptr;
  WaiterList callers;
};

struct Ack;

// The parts few records have at any one time.
struct RecordExtra {
  WaiterList callers;                     // of the request under way
  std::unique_ptr<WaitingRequest> waiting;
  Ack* acks = nullptr;                    // outcomes that wait for a commit, oldest first (core/acks.h)
  MonoMs intent_deadline = 0;
  void* cb_param = nullptr;
};

struct QueueHook : ListHook {};

struct Record : StoreHook, QueueHook {
  enum Field { kPresUri, kId, kEtag, kTupleId, kContentType, kExtraHeaders, kProxy, kBody, kFields };

  std::unique_ptr<Record> bucket_next;
  PackedStrings<kFields> text;
  std::unique_ptr<RecordExtra> extra;
  int64_t id = 0;
  uint64_t call_number = 0;               // Call-ID is this in hex, "@host"; the From tag derives from it
  Publication pub;                        // the machine's part
  uint32_t hash = 0;
  uint32_t heap_index = kNotInHeap;
  uint32_t intent_version = 0;            // StoreHook::version that must be committed before the request leaves
  int32_t source = 0, event = 0;
  uint32_t doc_version = 0;
  uint32_t cseq = 0;                      // last used
  uint16_t last_status = 0;
  bool reaping = false;                   // in the engine's list of records to free

  std::string_view pres_uri() const { return text.get(kPresUri); }
  std::string_view pres_id() const { return text.get(kId); }
  std::string_view etag() const { return text.get(kEtag); }
  std::string_view body() const { return text.get(kBody); }
  std::string_view proxy() const { return text.get(kProxy); }
  RecordKey key() const { return {source, event, pres_uri(), pres_id()}; }
  RecordExtra& need_extra() {
    if (!extra) extra = std::make_unique<RecordExtra>();
    return *extra;
  }
};

}  // namespace pua
