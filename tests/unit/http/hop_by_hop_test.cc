// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <initializer_list>
#include <string>

#include "http/header_id.h"

namespace weir::http {
namespace {

class HopByHopTest : public testing::Test {
 protected:
  /// The names that are left of `fields`, in order, with their values.
  std::string left(std::initializer_list<Header> fields) {
    headers_ = HeaderList(memory_.data(), memory_.size());
    for (Header header : fields) {
      header.id = header_id(header.name);
      headers_.push(header);
    }
    remove_hop_by_hop(headers_);
    std::string text;
    for (const Header& header : headers_) {
      text.append(header.name).append("=").append(header.value).append(";");
    }
    return text;
  }

  std::array<Header, 16> memory_;
  HeaderList headers_;
};

TEST_F(HopByHopTest, LeavesOtherFieldsAlone) {
  EXPECT_EQ(left({{"Host", "a"}, {"X", "y"}, {"Trailer", "Z"}, {"Cookie", "c"}}),
            "Host=a;X=y;Trailer=Z;Cookie=c;");
}

TEST_F(HopByHopTest, RemovesConnectionFields) {
  EXPECT_EQ(left({{"Connection", "keep-alive"},
                  {"Keep-Alive", "5"},
                  {"A", "1"},
                  {"Proxy-Connection", "x"},
                  {"Transfer-Encoding", "chunked"},
                  {"Upgrade", "h2c"},
                  {"HTTP2-Settings", "x"},
                  {"B", "2"}}),
            "A=1;B=2;");
}

TEST_F(HopByHopTest, RemovesWhatAnyConnectionFieldNames) {
  EXPECT_EQ(left({{"A", "1"},
                  {"Connection", "close, a"},
                  {"B", "2"},
                  {"C", "3"},
                  {"Connection", ", ,B"},
                  {"a", "4"}}),
            "C=3;");
}

TEST_F(HopByHopTest, NamedButKnownFieldsStay) {
  EXPECT_EQ(left({{"Connection", "Host, Content-Length, X-Forwarded-For, Authorization, X"},
                  {"Host", "a"},
                  {"Content-Length", "1"},
                  {"X-Forwarded-For", "b"},
                  {"Authorization", "c"},
                  {"X", "gone"}}),
            "Host=a;Content-Length=1;X-Forwarded-For=b;Authorization=c;");
}

TEST_F(HopByHopTest, TeSurvivesAsTrailersOnly) {
  EXPECT_EQ(left({{"TE", "trailers"}}), "TE=trailers;");
  EXPECT_EQ(left({{"TE", "gzip;q=0.5, Trailers"}}), "TE=trailers;");
  EXPECT_EQ(left({{"TE", "deflate"}}), "");
  EXPECT_EQ(left({{"TE", "trailers;q=0"}}), "");
  EXPECT_EQ(left({{"TE", "gzip"}, {"TE", "trailers"}, {"Connection", "TE"}}), "TE=trailers;");
}

TEST_F(HopByHopTest, ConnectionNamesAsksAllMembers) {
  left({});
  headers_.push({"Connection", "a, Upgrade", HeaderId::kConnection});
  EXPECT_TRUE(connection_names(headers_, "upgrade"));
  EXPECT_FALSE(connection_names(headers_, "close"));
  EXPECT_FALSE(connection_names(headers_, "up"));
}

}  // namespace
}  // namespace weir::http
