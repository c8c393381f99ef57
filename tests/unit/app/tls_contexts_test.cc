// SPDX-License-Identifier: Apache-2.0
// TLS settings of a whole config: what a start, a reload and `weir check` make of their files.
#include "app/tls_contexts.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "app/compile.h"
#include "support/mint.h"

namespace weir::app {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kYaml = R"(listeners:
  edge:
    address: 127.0.0.1:0
    tls:
      certificates:
        - {cert: certs/edge.pem, key: certs/edge.key}
  plain:
    address: 127.0.0.1:0
clusters:
  blue:
    endpoints: [{address: 127.0.0.1:9001}]
    tls: {ca: certs/ca.pem, sni: blue.example}
  green:
    endpoints: [{address: 127.0.0.1:9002}]
routes:
  - {name: all, match: {path: {prefix: /}}, target: {cluster: blue}}
  - {name: one, match: {path: {exact: /green}}, target: {cluster: green}}
)";

class TlsContextsTest : public testing::Test {
 protected:
  TlsContextsTest() {
    std::filesystem::create_directory(folder_.path() + "/certs");
    renew("edge.example");
    folder_.write("certs/ca.pem", ca_.pem());
    main_ = folder_.write("weir.yaml", kYaml);
  }
  void renew(const std::string& cn, std::chrono::hours to = std::chrono::hours(24 * 90)) {
    const test::Minted made = ca_.issue({.cn = cn, .names = {"DNS:edge.example"}, .to = to});
    folder_.write("certs/edge.pem", made.cert);
    folder_.write("certs/edge.key", made.key);
  }
  CompileResult compile() { return compile_file(main_, net::make_process_ticket_keys()); }

  test::TempFolder folder_;
  test::Authority ca_{"CA"};
  std::string main_;
};

TEST_F(TlsContextsTest, EveryListenerAndClusterHasItsOwnOrNone) {
  const CompileResult compiled = compile();
  ASSERT_TRUE(compiled) << compiled.error().front().message;
  EXPECT_THAT(compiled->warnings, IsEmpty());
  ASSERT_EQ(compiled->tls.listeners.size(), 2U);
  ASSERT_NE(compiled->tls.listeners[0], nullptr) << "paths start at the config's folder";
  EXPECT_EQ(compiled->tls.listeners[1], nullptr);
  ASSERT_EQ(compiled->tls.clusters.size(), 2U);
  EXPECT_NE(compiled->tls.clusters[0], nullptr);
  EXPECT_EQ(compiled->tls.clusters[1], nullptr);
  EXPECT_EQ(compiled->tls.listeners[0]->certificates()[0].file, "certs/edge.pem");
}

TEST_F(TlsContextsTest, AChangedFileCountsThoughTheYamlIsTheSame) {
  const CompileResult before = compile();
  renew("renewed");
  const CompileResult after = compile();
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->tls.listeners[0]->certificates()[0].subject, "CN=edge.example");
  EXPECT_EQ(after->tls.listeners[0]->certificates()[0].subject, "CN=renewed");
}

TEST_F(TlsContextsTest, ABadFileIsRefusedAtItsLine) {
  const test::Minted other = ca_.issue({});
  folder_.write("certs/edge.key", other.key);
  std::filesystem::remove(folder_.path() + "/certs/ca.pem");
  const CompileResult compiled = compile();
  ASSERT_FALSE(compiled);
  ASSERT_EQ(compiled.error().size(), 2U);
  const config::Diagnostic& key = compiled.error()[0];
  EXPECT_EQ(key.file, main_);
  EXPECT_EQ(key.line, 6U);
  EXPECT_EQ(key.key, "listeners.edge.tls.certificates[certs/edge.pem].key");
  EXPECT_THAT(key.message, HasSubstr("certs/edge.key does not match "));
  EXPECT_THAT(key.source_line, HasSubstr("certs/edge.pem"));
  const config::Diagnostic& ca = compiled.error()[1];
  EXPECT_EQ(ca.line, 12U);
  EXPECT_EQ(ca.key, "clusters.blue.tls.ca");
  EXPECT_THAT(ca.message, HasSubstr("certs/ca.pem: No such file"));
}

TEST_F(TlsContextsTest, CheckSaysWhatRunWouldSay) {
  EXPECT_TRUE(check_file(main_, TlsFiles::kRead));
  renew("soon", std::chrono::hours(48));
  const config::LoadResult soon = check_file(main_, TlsFiles::kRead);
  ASSERT_TRUE(soon);
  ASSERT_EQ(soon->warnings.size(), 1U);
  EXPECT_EQ(soon->warnings[0].key, "listeners.edge.tls.certificates[certs/edge.pem].cert");
  EXPECT_THAT(soon->warnings[0].message, HasSubstr("expires on"));
  std::filesystem::remove(folder_.path() + "/certs/edge.pem");
  EXPECT_FALSE(check_file(main_, TlsFiles::kRead));
}

TEST_F(TlsContextsTest, WhoOnlyAsksNeedsNoCertificates) {
  std::filesystem::remove_all(folder_.path() + "/certs");
  EXPECT_TRUE(compile_file(main_, nullptr)) << "weir explain";
  EXPECT_TRUE(check_file(main_, TlsFiles::kIgnore)) << "weir diff";
}

TEST_F(TlsContextsTest, WhatTheConfigRefusesIsNotSaidTwice) {
  const std::string yaml = R"(listeners:
  edge:
    address: 127.0.0.1:0
    tls: {certificates: []}
routes:
  - {name: all, match: {path: {prefix: /}}, target: {direct: {status: 200}}}
)";
  const config::LoadResult checked = check_file(folder_.write("empty.yaml", yaml), TlsFiles::kRead);
  ASSERT_FALSE(checked);
  int about_certificates = 0;
  for (const config::Diagnostic& each : checked.error()) {
    about_certificates += each.key.find("tls") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(about_certificates, 1);
}

}  // namespace
}  // namespace weir::app
