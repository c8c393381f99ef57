// SPDX-License-Identifier: Apache-2.0
// Two sessions that speak to each other: messages arrive as they were sent, both ways.
#include <gtest/gtest.h>

#include "h2_peer.h"

namespace weir::http {
namespace {

using Kind = BodyFraming::Kind;

ResponseHead answer(uint16_t status, BodyFraming body) {
  ResponseHead head;
  head.status = status;
  head.body = body;
  return head;
}

TEST(H2SessionTest, ARequestWithoutBodyIsAnswered) {
  H2Pair pair;
  H2TestStream& call = pair.client.make_stream();
  ASSERT_TRUE(pair.client.session.send_request(call, h2_get("/x?y")));
  pair.client.session.send_end(call, {});
  pair.run();
  ASSERT_EQ(pair.server.streams.size(), 1U);
  H2TestStream& served = *pair.server.streams[0];
  EXPECT_EQ(served.events, "request GET a.example /x?y none\nend 0\n");
  EXPECT_EQ(served.fields, "host: a.example\n");
  pair.server.session.send_response(served, answer(200, {Kind::kLength, 5}));
  pair.server.session.send_data(served, "hello");
  pair.server.session.send_end(served, {});
  EXPECT_TRUE(served.pending());
  pair.run();
  EXPECT_FALSE(served.pending());
  EXPECT_EQ(call.events, "response 200 length\nend 5\n");
  EXPECT_EQ(call.body, "hello");
  EXPECT_EQ(call.fields, "content-length: 5\n");
  pair.server.session.finish(served);
  pair.client.session.finish(call);
  EXPECT_EQ(pair.server.session.streams() + pair.client.session.streams(), 0U);
  EXPECT_EQ(pair.client.pull() + pair.server.pull(), "");
}

}  // namespace
}  // namespace weir::http
