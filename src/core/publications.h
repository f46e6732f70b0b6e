// Publications: the part of the engine that only publications need (RFC 3903): owners' requests and their documents, the text
// of a PUBLISH, what the columns of a row mean. What subscriptions need as well is in Keeper (keeper.h).
#pragma once

#include <memory>
#include <string>

#include "core/keeper.h"
#include "core/publication_record.h"

namespace pua {

class Publications : public Keeper<Publications, PublicationRecord> {
 public:
  static constexpr Kind kKind = Kind::Publication;
  static constexpr Method kMethod = Method::Publish;
  static constexpr const char* kMethodName = "PUBLISH";
  static constexpr const char* kKindName = "record";

  using Keeper::Keeper;
  Status publish(const PublishRequest&, RequestDone done, MonoMs now);   // contract: core/engine.h
  void add_stats(Stats&) const;

 private:
  friend class Keeper<Publications, PublicationRecord>;
  struct Accepted;                          // a request that was checked, and its body processed
  struct Place {                            // which record a request is for
    PublicationRecord* record = nullptr;    // nullptr: one that is still to be made
    bool maybe_in_table = false;            // the load under way may still bring its row
  };

  // requests (publications.cpp)
  Status check(const PublishRequest&, const EventInfo*&) const;
  Status admit(const PublishRequest&, const Accepted&, uint32_t hash, Place&) const;
  Result<Unit> prepare_body(const PublishRequest&, const Place&, const EventInfo&, Accepted&, MonoMs now);
  void take_over(PublicationRecord&, Accepted&, const PublishRequest&, RequestDone, MonoMs now);
  void put_behind(PublicationRecord&, Accepted&, const PublishRequest&, RequestDone, MonoMs now);
  void resume(PublicationRecord&, WaitingPublish&, MonoMs now);
  void request(PublicationRecord&, bool removal, bool new_body, MonoMs wanted_end, MonoMs now);
  // what goes out and comes back (publications_wire.cpp)
  void change(PublicationRecord&, const Effects&, const SipReply*, const Row*);
  void report(PublicationRecord&, const Effects&, const SipReply*, MonoMs now);
  void fill(PublicationRecord&, SipRequest&, std::string (&scratch)[2], MonoMs now);
  Event heard(PublicationRecord&, const SipReply&, MonoMs now);
  std::string_view default_proxy(const PublicationRecord&) const;
  std::string_view destination(const PublicationRecord&) const;
  void renew_call(PublicationRecord&);
  void name_call(const PublicationRecord&) const;
  static bool ended(const PublicationRecord& r) { return r.m->state == State::Gone; }
  static bool wanted(const PublicationRecord& r) { return r.m->wanted == Wanted::Something; }
  static std::string_view etag(const PublicationRecord& r) { return r.etag(); }
  static int64_t granted(const PublicationRecord& r) {
    return r.m->state == State::Live ? (r.m->grant_end - r.m->sent_at) / 1000 : 0;
  }
  // rows, and what others see (publications_rows.cpp)
  static Key key_of(const Row& row) { return {row.flag, row.event, row.pres_uri, row.pres_id}; }
  static void row_key(const PublicationRecord&, Row& out);
  static void put_row(std::array<std::string_view, PublicationRecord::kFields>& text, const Row&);
  void fill_row(const PublicationRecord&, Row& out) const;
  const char* unreadable(const Row&) const;
  bool has_state(const Row&) const;
  void adopt(PublicationRecord&, const Row&, bool asked, MonoMs now);
  MonoMs first_refresh(const Publication&, MonoMs now);
  RecordView view(const PublicationRecord&, MonoMs now) const;
  void born(PublicationRecord&) {}
  void dies(PublicationRecord&) {}

  LogGate etag_gate_, bad_etag_gate_, expires_gate_, lost_gate_;
  mutable char call_id_[kCallIdSize + 1] = "", from_tag_[9] = "";  // of the record for which name_call() was called last
};

}  // namespace pua
