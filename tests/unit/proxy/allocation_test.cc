// SPDX-License-Identifier: Apache-2.0
// The steady state allocates nothing: 10,000 requests over warm connections, and the worker's
// thread calls the allocator not once. An executable of its own, because it replaces malloc.
#include <stdlib.h>

#include <atomic>

#include "proxy_fixture.h"

namespace {

thread_local bool counted_thread = false;
std::atomic<bool> counting{false};
std::atomic<uint64_t> calls{0};

void count() {
  if (counted_thread && counting.load(std::memory_order_relaxed)) ++calls;
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) {
  count();
  return __libc_malloc(size);
}
void* calloc(size_t n, size_t size) {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* memory, size_t size) {
  count();
  return __libc_realloc(memory, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
}

namespace weir::proxy {
namespace {

class AllocationTest : public ProxyTest {
 protected:
  void exchange(Wire& client, Wire& origin) {
    client.send(kRequest);
    ASSERT_TRUE(origin.read_some().starts_with("GET "));
    origin.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello");
    ASSERT_TRUE(client.read_some().ends_with("hello"));
    if (!shadow_.open()) return;
    ASSERT_TRUE(shadow_.read_some().starts_with("GET "));
    shadow_.send("HTTP/1.1 204 No Content\r\n\r\n");
  }
  // Requires: what is served takes kRequest to the origin as a request for `target`.
  void expect_none(const std::string& target);
  static constexpr const char* kRequest =
      "GET /some/path?with=query HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: test\r\n"
      "Accept: */*\r\n\r\n";
  Origin origin_;
  Origin mirror_;
  bool mirrors_ = false;
  Wire shadow_;  ///< Where copies come, once there are any.
};

void AllocationTest::expect_none(const std::string& target) {
  Wire client = this->client();
  client.send(kRequest);
  Wire origin = origin_.accept();
  ASSERT_TRUE(origin.read_some().starts_with("GET " + target));
  origin.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  client.read_some();
  if (mirrors_) {
    shadow_ = mirror_.accept();
    shadow_.read_some();
    shadow_.send("HTTP/1.1 204 No Content\r\n\r\n");
  }
  for (int i = 0; i < 100; ++i) exchange(client, origin);

  calls = 0;
  worker().loop().post([] {
    counted_thread = true;
    counting = true;
  });
  while (!counting) std::this_thread::yield();
  for (int i = 0; i < 10'000; ++i) exchange(client, origin);
  counting = false;
  EXPECT_EQ(calls, 0u);

  // That it can count at all: a new connection needs memory.
  counting = true;
  Wire another = this->client();
  another.send(kRequest);
  // It takes the idle connection to the origin; the client's own is new.
  origin.read_some();
  counting = false;
  EXPECT_GT(calls, 0u);
}

TEST_F(AllocationTest, NoneInTenThousandRequests) {
  serve("clusters:\n" + cluster_yaml(origin_) +
        "routes:\n  - {name: all, match: {hosts: ['*.example.com'], path: {prefix: /some}}, "
        "target: {cluster: origin}, rewrite: {prefix: /other}}\n");
  expect_none("/other/path?with=query");
}

TEST_F(AllocationTest, NoneForCopies) {
  mirrors_ = true;
  serve("clusters:\n" + cluster_yaml(origin_) +
        "  shadow: {endpoints: [{address: '127.0.0.1:" + std::to_string(mirror_.port()) +
        "'}]}\nroutes: [{name: all, target: {cluster: origin}, mirror: {cluster: shadow}}]\n");
  expect_none("/some/path?with=query");
}

TEST_F(AllocationTest, NoneWhereAReleaseDecides) {
  serve("identity: {tenant: [{value: acme}]}\nclusters:\n" + cluster_yaml(origin_) +
        "releases: {app: {default: origin, rules: [{tenants: [initech], to: origin}, "
        "{match: {headers: {x-canary: '1'}}, to: origin}, {weight: 5%, to: origin}]}}\n"
        "routes: [{name: all, target: {release: app}}]\n");
  expect_none("/some/path?with=query");
}

}  // namespace
}  // namespace weir::proxy
