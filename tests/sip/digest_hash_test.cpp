// Digest computing against the examples of the RFCs, and each algorithm with each quality of protection.
#include "sip/digest_hash.h"

#include <string>

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(SipDigestHash) {
  DigestAlgorithm algorithm(const char* name) {
    DigestAlgorithm a;
    CHECK_TRUE_TEXT(digest_algorithm(name, a), name);
    return a;
  }
  // RFC 7616 section 3.9.1
  std::string mufasa(const char* name) {
    DigestAlgorithm a = algorithm(name);
    DigestInput in;
    in.hash = a.hash;
    in.qop = DigestQop::Auth;
    in.nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    in.nc = "00000001";
    in.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    in.method = "GET";
    in.uri = "/dir/index.html";
    std::string a1 = digest_a1(a, "Mufasa", "http-auth@example.org", "Circle of Life", in.nonce, in.cnonce);
    in.a1 = a1;
    return digest_response(in);
  }
};

TEST(SipDigestHash, the_example_of_rfc_7616_by_md5_and_sha_256) {
  STRCMP_EQUAL("8ca523f5e9506fed4657c9700eebdbec", mufasa("MD5").c_str());
  STRCMP_EQUAL("8ca523f5e9506fed4657c9700eebdbec", mufasa("").c_str());
  STRCMP_EQUAL("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", mufasa("SHA-256").c_str());
}

// Section 3.9.2 as erratum 4897 puts it right: the RFC itself cut a SHA-512 short.
TEST(SipDigestHash, the_example_of_rfc_7616_by_sha_512_256_with_userhash) {
  DigestAlgorithm a = algorithm("SHA-512-256");
  DigestInput in;
  in.hash = a.hash;
  in.qop = DigestQop::Auth;
  in.nonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK";
  in.nc = "00000001";
  in.cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
  in.method = "GET";
  in.uri = "/doe.json";
  std::string user = "J\xc3\xa4s\xc3\xb8n Doe";
  std::string a1 = digest_a1(a, user, "api@example.org", "Secret, or not?", in.nonce, in.cnonce);
  in.a1 = a1;
  STRCMP_EQUAL("3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", digest_response(in).c_str());
  STRCMP_EQUAL("793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b",
               digest_hex(a.hash, {user, "api@example.org"}).c_str());
}

TEST(SipDigestHash, the_example_of_rfc_2617) {
  DigestInput in;
  in.qop = DigestQop::Auth;
  in.nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
  in.nc = "00000001";
  in.cnonce = "0a4f113b";
  in.method = "GET";
  in.uri = "/dir/index.html";
  std::string a1 = digest_a1({}, "Mufasa", "testrealm@host.com", "Circle Of Life", in.nonce, in.cnonce);
  in.a1 = a1;
  STRCMP_EQUAL("6629fae49393a05397450978507c4ef1", digest_response(in).c_str());
}

// Values from Python's hashlib, by the formulas of RFC 7616 section 3.4.
TEST(SipDigestHash, each_algorithm_with_each_qop) {
  struct {
    const char* algorithm;
    DigestQop qop;
    const char* response;
  } const table[] = {
      {"MD5", DigestQop::None, "8961cd54d666c2b132cc7137a8c3bd3f"},
      {"MD5", DigestQop::Auth, "a52353274b71e327b07c2a2b1d9531cf"},
      {"MD5", DigestQop::AuthInt, "83857c98ee021ad897d87f0fcdfbb655"},
      {"MD5-sess", DigestQop::None, "5c8ffe59f54c3b8e92338d6b4fee50d7"},
      {"MD5-sess", DigestQop::Auth, "530be6fcd722bbf1240a63dc66e5f879"},
      {"MD5-sess", DigestQop::AuthInt, "a1dcfb3b99cea17ac7eb164ab438d1a0"},
      {"SHA-256", DigestQop::None, "36c234737a440aed0287f6c9e3f6b03b6c531eccf9387f2d7c9572255c751002"},
      {"SHA-256", DigestQop::Auth, "7466a141bb5a477889c691a39285c76d384b6b610d0c6a6a14f3f8e8db343150"},
      {"SHA-256", DigestQop::AuthInt, "51d7fb61ff1204bb873a36bb55136d889b205ca60efbdad723db3fb125dd55e4"},
      {"SHA-256-sess", DigestQop::None, "a7e352e42580ebe1f7fe14bab9038beedaa87cef1fcc24d1e4e2afc2e340e860"},
      {"SHA-256-sess", DigestQop::Auth, "5300a683e2ff6c44e0c18a81399da91636906ec3e5ef86ad95fa9213d13834ed"},
      {"SHA-256-sess", DigestQop::AuthInt, "c921ccec757c09c1a8f48c3c65f51e148683fde7584e8cb6f587dabd85ab883f"},
      {"SHA-512-256", DigestQop::None, "3b66eb5376b6fd8999c5cbba574a4a7378aa344d955227e5650a5f9c1ddde900"},
      {"SHA-512-256", DigestQop::Auth, "798ca4874e67559c23c44b89e82ab3875735b43b9f44a5f9467427c125c7c0fc"},
      {"SHA-512-256", DigestQop::AuthInt, "92ddd522b50d489f4b6a7b2de2bcb385864bc0ec0267a0eb8cf8caaa56227791"},
      {"SHA-512-256-sess", DigestQop::None, "c6d86bbf03b4d1a52de71d61c40b5a4a84fc19775b720a5be954e038d67c0e98"},
      {"SHA-512-256-sess", DigestQop::Auth, "385e73d8e3606ba173a1fcff9deb692229128f5afcd20120bba183166db5e5c1"},
      {"SHA-512-256-sess", DigestQop::AuthInt, "3b2dd292abbe62b98cbf99bb4d1c84c0e64a64970aef3cbc1ee675bef4a9a32b"},
  };
  for (const auto& t : table) {
    DigestAlgorithm a = algorithm(t.algorithm);
    std::string a1 = digest_a1(a, "alice", "biloxi.com", "secret1", "n-1", "c-1");
    DigestInput in;
    in.hash = a.hash;
    in.qop = t.qop;
    in.a1 = a1;
    in.nonce = "n-1";
    in.nc = "0000000a";
    in.cnonce = "c-1";
    in.method = "PUBLISH";
    in.uri = "sip:alice@biloxi.com";
    in.body = "<presence/>";
    STRCMP_EQUAL_TEXT(t.response, digest_response(in).c_str(), t.algorithm);
  }
}

TEST(SipDigestHash, names_have_no_case_and_others_are_not_known) {
  DigestAlgorithm a;
  CHECK_TRUE(digest_algorithm("sha-512-256-SESS", a));
  CHECK_TRUE(a.hash == DigestHash::Sha512_256 && a.session);
  CHECK_TRUE(digest_algorithm("md5-Sess", a));
  CHECK_TRUE(a.hash == DigestHash::Md5 && a.session);
  CHECK_TRUE(digest_algorithm("Sha-256", a));
  CHECK_TRUE(a.hash == DigestHash::Sha256 && !a.session);
  for (const char* unknown : {"SHA-512", "SHA256", "AKAv1-MD5", "token", "-sess", "MD5-sess-sess", "MD5 ", "SHA-1"})
    CHECK_FALSE_TEXT(digest_algorithm(unknown, a), unknown);
}
