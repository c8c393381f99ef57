// SPDX-License-Identifier: Apache-2.0
// Copies of requests on a worker: what is sent, to whom, and that no trace of them is left.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "proxy_fixture.h"

namespace weir::proxy {
namespace {

constexpr const char* kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class MirrorTest : public ProxyTest {
 protected:
  // `mirror`: its keys beside the cluster. `more`: top-level YAML.
  void serve_mirrored(const std::string& mirror = "", const std::string& more = "") {
    serve("clusters:\n" + cluster_yaml(app_) + "  shadow: {endpoints: [{address: '127.0.0.1:" +
          std::to_string(shadow_.port()) + "'}]}\n" + more +
          "routes:\n  - {name: all, target: {cluster: origin}, mirror: {cluster: shadow" + mirror +
          "}}\n");
  }
  // One request and its answer by the application.
  void exchange(Wire& client, const std::string& request, const std::string& end = "\r\n\r\n") {
    client.send(request);
    Wire origin = app_.accept();
    origin.read_until(end);
    origin.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    EXPECT_TRUE(client.read_until("ok").ends_with("ok"));
  }
  uint64_t dropped(policy::MirrorDrop why) {
    return worker().stats().mirror_dropped[static_cast<size_t>(why)].value();
  }

  Origin app_;
  Origin shadow_;
};

TEST_F(MirrorTest, TheCopyIsTheRequestWithAHeaderMore) {
  serve_mirrored();
  Wire client = this->client();
  client.send("POST /a?b=c HTTP/1.1\r\nHost: x.test\r\nX-One: 1\r\nContent-Length: 4\r\n\r\nbody");
  Wire origin = app_.accept();
  const std::string sent = origin.read_until("body");
  Wire copy = shadow_.accept();
  const std::string copied = copy.read_until("body");
  EXPECT_TRUE(copied.starts_with("POST /a?b=c HTTP/1.1\r\n")) << copied;
  EXPECT_NE(copied.find("\r\nx-weir-mirror: 1\r\n"), std::string::npos) << copied;
  std::string without = copied;
  const std::string header = "x-weir-mirror: 1\r\n";
  without.erase(without.find(header), header.size());
  EXPECT_EQ(without, sent);
  origin.send(kAnswer);
  EXPECT_TRUE(client.read_until("ok").ends_with("ok")) << "nobody waits for the copy";
  copy.send("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(MirrorTest, ACopyThatStandsIsEndedWithTheWorker) {
  serve_mirrored();
  Wire client = this->client();
  exchange(client, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
  Wire copy = shadow_.accept();
  copy.read_until("\r\n\r\n");
  stop();
  EXPECT_EQ(copy.read_all(), "");
  EXPECT_EQ(worker().stats().mirror_copies.value(), 0);
  EXPECT_EQ(worker().stats().mirror_requests.value(), 1U);
}

TEST_F(MirrorTest, ARequestThatEndsTooEarlyIsNotCopied) {
  serve_mirrored();
  Wire client = this->client();
  client.send("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 10\r\n\r\n12345");
  Wire origin = app_.accept();
  origin.read_until("12345");
  client.close();
  EXPECT_EQ(origin.read_all(), "");
  stop();
  EXPECT_EQ(dropped(policy::MirrorDrop::kIncomplete), 1U);
  EXPECT_EQ(worker().stats().mirror_requests.value(), 0U);
  EXPECT_EQ(worker().stats().mirror_bytes.value(), 0);
}

TEST_F(MirrorTest, ABodyOfUnknownLengthIsCopiedUpToMaxBody) {
  serve_mirrored(", max_body: 5B");
  const std::string head = "POST / HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\n\r\n";
  Wire client = this->client();
  exchange(client, head + "6\r\n123456\r\n0\r\n\r\n", "0\r\n\r\n");
  EXPECT_EQ(dropped(policy::MirrorDrop::kTooLarge), 1U);
  exchange(client, head + "5\r\n12345\r\n0\r\n\r\n", "0\r\n\r\n");
  Wire copy = shadow_.accept();
  EXPECT_NE(copy.read_until("0\r\n\r\n").find("12345"), std::string::npos);
  copy.send(kAnswer);
}

TEST_F(MirrorTest, AboutTheSampleIsCopied) {
  serve_mirrored(", sample: 25%, timeout: 1ms");
  for (int i = 0; i < 400; ++i) {
    Wire client = this->client();
    exchange(client, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
  }
  stop();
  const uint64_t copies = worker().stats().mirror_requests.value();
  EXPECT_GT(copies, 60U);
  EXPECT_LT(copies, 140U);
}

TEST_F(MirrorTest, NoMoreCopiesThanMaxConcurrent) {
  serve_mirrored("", "mirroring: {max_concurrent: 2}\n");
  Wire client = this->client();
  for (int i = 0; i < 5; ++i) exchange(client, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
  EXPECT_EQ(dropped(policy::MirrorDrop::kConcurrency), 3U);
  stop();
  EXPECT_EQ(worker().stats().mirror_requests.value(), 2U);
}

TEST_F(MirrorTest, NoMoreBytesThanMaxBytes) {
  serve_mirrored("", "mirroring: {max_bytes: 10B}\n");
  Wire client = this->client();
  const std::string request = "POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 6\r\n\r\n123456";
  for (int i = 0; i < 3; ++i) exchange(client, request, "123456");
  EXPECT_EQ(dropped(policy::MirrorDrop::kBytes), 2U);
}

TEST_F(MirrorTest, ACopyThatIsOnItsWayOutlivesAReloadThatTakesItsClusterAway) {
  serve_mirrored();
  Wire client = this->client();
  exchange(client, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
  Wire copy = shadow_.accept();
  copy.read_until("\r\n\r\n");
  serve("clusters:\n" + cluster_yaml(app_) +
        "routes:\n  - {name: all, target: {cluster: origin}}\n");
  copy.send(kAnswer);
  exchange(client, "GET / HTTP/1.1\r\nHost: x.test\r\n\r\n");
  stop();
  for (const base::Counter& failures : worker().stats().mirror_failures) {
    EXPECT_EQ(failures.value(), 0U);
  }
}

}  // namespace
}  // namespace weir::proxy
