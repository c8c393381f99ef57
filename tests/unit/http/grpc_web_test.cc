// SPDX-License-Identifier: Apache-2.0
#include "http/grpc_web.h"

#include <gtest/gtest.h>

#include <string>

#include "message_outcome.h"

namespace weir::http {
namespace {

using std::string;

// What a decoder makes of `pieces`; "!" where it is no base64 or ends inside a group.
string decoded(const std::vector<string>& pieces) {
  Base64Decoder decoder;
  string out;
  for (const string& piece : pieces) {
    string room(Base64Decoder::room_for(piece.size()) + 3, '?');
    const auto bytes = decoder.next(piece, room);
    if (!bytes) return "!";
    out += *bytes;
  }
  return decoder.complete() ? out : "!";
}

string encoded(std::string_view in) {
  string room(base64_size(in.size()), '?');
  return string(base64_encode(in, room));
}

TEST(GrpcWeb, IsToldByItsContentType) {
  EXPECT_EQ(grpc_web_kind("application/grpc-web"), GrpcWeb::kBinary);
  EXPECT_EQ(grpc_web_kind("application/grpc-web+proto"), GrpcWeb::kBinary);
  EXPECT_EQ(grpc_web_kind("application/grpc-web-text"), GrpcWeb::kText);
  EXPECT_EQ(grpc_web_kind("application/GRPC-web-text+proto; a=b"), GrpcWeb::kText);
  for (const char* type : {"", "application/grpc", "application/grpc-webx", "application/json"}) {
    EXPECT_EQ(grpc_web_kind(type), GrpcWeb::kNone) << type;
  }
}

TEST(GrpcWeb, TranslatesContentTypes) {
  Memory memory;
  base::Arena& arena = memory.arena;
  EXPECT_EQ(to_grpc_type("application/grpc-web", arena), "application/grpc");
  EXPECT_EQ(to_grpc_type("application/grpc-web-text+proto; a=b", arena), "application/grpc+proto");
  EXPECT_EQ(to_grpc_web_type(GrpcWeb::kText, "application/grpc+proto", arena),
            "application/grpc-web-text+proto");
  EXPECT_EQ(to_grpc_web_type(GrpcWeb::kBinary, "application/grpc", arena), "application/grpc-web");
}

TEST(GrpcWeb, PutsTrailersIntoAFrame) {
  Memory memory;
  Header fields[2];
  HeaderList trailers(fields, 2);
  trailers.push({"Grpc-Status", "0", HeaderId::kGrpcStatus});
  trailers.push({"x", "", HeaderId::kOther});
  EXPECT_EQ(grpc_web_trailers(trailers, memory.arena),
            std::string_view("\x80\0\0\0\x13grpc-status:0\r\nx:\r\n", 24));
  EXPECT_EQ(grpc_web_trailers({}, memory.arena), std::string_view("\x80\0\0\0\0", 5));
}

TEST(GrpcWeb, DecodesBase64AtEveryCut) {
  const string plain = "any carnal pleas";
  const string text = encoded(plain);
  EXPECT_EQ(text, "YW55IGNhcm5hbCBwbGVhcw==");
  for (size_t a = 0; a <= text.size(); ++a) {
    for (size_t b = a; b <= text.size(); ++b) {
      EXPECT_EQ(decoded({text.substr(0, a), text.substr(a, b - a), text.substr(b)}), plain);
    }
  }
}

TEST(GrpcWeb, DecodesWhatWasPaddedInTheMiddle) {
  EXPECT_EQ(decoded({"YQ==YmM=ZGVm"}), "abcdef");
  EXPECT_EQ(decoded({"YQ=", "=YmM", "="}), "abc");
}

TEST(GrpcWeb, RefusesWhatIsNoBase64) {
  for (const char* text : {"YQ", "Y", "Y===", "=", "YQ=a", "Y Q=", "YQ==\n", "-_-_", "YQ==="}) {
    EXPECT_EQ(decoded({text}), "!") << text;
  }
}

TEST(GrpcWeb, EncodesAllBytes) {
  string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  for (size_t n = 0; n <= bytes.size(); ++n) {
    EXPECT_EQ(decoded({encoded(bytes.substr(0, n))}), bytes.substr(0, n));
  }
}

}  // namespace
}  // namespace weir::http
