// A request for sofia that leaves octet by octet as it was written. sofia undoes the escapes of a URL that it reads, and prints
// what is left; what it is given in pieces it prints as it is. So each text is given to it as a single piece: the Request-URI
// and the addresses as URLs that sofia never looks into (the next hop is always named beside them), the rest as header fields
// that it does not know. The order on the wire is sofia's, which is that of write_headers().
#pragma once

#include <sofia-sip/sip.h>
#include <sofia-sip/su_tag.h>
#include <sofia-sip/url.h>

#include <string>
#include <string_view>
#include <vector>

namespace pua {

// The URI in one piece, cut in place: out points into text.
void url_in_one_piece(std::string& text, url_t& out);

// Views and pointers live as long as the object.
class RawMessage {
 public:
  // uri: Request-URI as it goes out (write_uri). headers: whole lines, as write_headers() makes them.
  RawMessage(std::string_view uri, std::string_view headers);
  RawMessage(const RawMessage&) = delete;
  RawMessage& operator=(const RawMessage&) = delete;

  const url_string_t* uri() const { return reinterpret_cast<const url_string_t*>(&uri_); }
  const url_t& url() const { return uri_; }   // the same, in pieces
  // All header fields, for sip_add_tl(): TAG_NEXT(tags()).
  const tagi_t* tags() const { return tags_.data(); }

 private:
  // One address, whole: sofia writes "display <scheme:rest>param".
  struct Address {
    const char* display = nullptr;
    url_t url;
    const char* params[2] = {nullptr, nullptr};
  };
  static bool cut_address(char* value, Address& out);
  void line(char* name, char* value);
  bool take(char* name, char* value);

  std::string uri_text_, text_;   // the header block, cut into C strings
  url_t uri_;
  Address addresses_[4];
  sip_route_t route_;
  sip_from_t from_;
  sip_to_t to_;
  sip_contact_t contact_;
  sip_accept_t accept_;
  sip_event_t event_;
  sip_allow_events_t allow_events_;
  const char* allow_items_[2] = {nullptr, nullptr};
  sip_if_match_t if_match_;
  sip_content_type_t content_type_;
  std::vector<sip_unknown_t> others_;
  std::string known_;             // Call-ID, CSeq, Expires, User-Agent: sofia reads these
  std::vector<tagi_t> tags_;
};

}  // namespace pua
