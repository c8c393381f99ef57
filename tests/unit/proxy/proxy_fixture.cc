// SPDX-License-Identifier: Apache-2.0
#include "proxy_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "config/load.h"
#include "net/socket.h"

namespace weir::proxy {
namespace {

constexpr int kDeadlineMs = 5000;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

bool wait_readable(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  return ::poll(&poll_fd, 1, kDeadlineMs) > 0;
}

}  // namespace

Wire::Wire(int fd) : fd_(fd) {}

Wire& Wire::operator=(Wire&& other) noexcept {
  close();
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

Wire Wire::connect(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return Wire(fd);
}

void Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

std::string Wire::read_until(std::string_view end) {
  std::string out;
  char byte;
  while (!out.ends_with(end) && wait_readable(fd_) && ::recv(fd_, &byte, 1, 0) == 1) out += byte;
  return out;
}

std::string Wire::read_exactly(size_t bytes) {
  std::string out;
  char buffer[65536];
  while (out.size() < bytes && wait_readable(fd_)) {
    const ssize_t n = ::recv(fd_, buffer, std::min(sizeof buffer, bytes - out.size()), 0);
    was_reset_ = n < 0 && errno == ECONNRESET;
    if (n <= 0) break;
    out.append(buffer, static_cast<size_t>(n));
  }
  return out;
}

std::string Wire::read_some() {
  char buffer[8192];
  if (!wait_readable(fd_)) return {};
  const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
  return {buffer, n > 0 ? static_cast<size_t>(n) : 0};
}

std::string Wire::read_all() { return read_exactly(SIZE_MAX); }

void Wire::finish_writing() { ::shutdown(fd_, SHUT_WR); }

void Wire::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Wire::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

Origin::Origin() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = loopback(0);
  EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd_, 64), 0);
  port_ = port_of(fd_);
}

Origin::~Origin() { ::close(fd_); }

Wire Origin::accept() {
  if (!wait_readable(fd_)) {
    ADD_FAILURE() << "nobody connected to the origin";
    return Wire();
  }
  return Wire(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
}

ProxyTest::ProxyTest()
    : control_(clock_),
      resolver_(control_),
      clusters_(control_, resolver_, upstream::AutoLimits::from_descriptors(1024)) {
  office_.worker = &worker_;
}

ProxyTest::~ProxyTest() {
  stop();
  for (int fd : listener_ ? listener_->fds : std::vector<int>{}) ::close(fd);
}

std::string ProxyTest::cluster_yaml(const Origin& origin, const std::string& more) {
  return "  origin: {endpoints: [{address: '127.0.0.1:" + std::to_string(origin.port()) + "'}]" +
         more + "}\n";
}

void ProxyTest::serve(const std::string& routes_and_clusters, const std::string& http1) {
  const std::string text = "listeners:\n  main: {address: '127.0.0.1:0', http1: {" + http1 +
                           "}}\n" + routes_and_clusters;
  auto loaded = config::load_text(text, "test.yaml");
  ASSERT_TRUE(loaded) << config::render(loaded.error(), config::ReportFormat::kText);
  auto snapshot = std::make_shared<Snapshot>();
  auto config = std::make_shared<Config>(std::move(loaded->config));
  config::Diagnostics diagnostics;
  snapshot->version = ++version_;
  snapshot->config = config;
  snapshot->routes = route::Table::compile(config->routes, diagnostics);
  ASSERT_NE(snapshot->routes, nullptr)
      << config::render(diagnostics.take_sorted(), config::ReportFormat::kText);
  if (auto policies = compile_policies(*config, diagnostics)) {
    compile_limits(*config, limits_, *policies);
    snapshot->policies = std::move(policies);
  }
  snapshot->clusters = clusters_.apply(config->clusters);
  if (auto releases = Releases::compile(*config, diagnostics)) {
    releases->join(releases_);
    snapshot->releases = std::move(releases);
  }
  snapshot->targets = resolve_targets(*config);
  AccessLogConfig log;
  snapshot->access_log = std::make_unique<AccessLogFormat>(*AccessLogFormat::compile(log));
  if (!listener_) {
    listener_ = std::make_shared<SharedListener>();
    listener_->name = "main";
    listener_->address = config->listeners[0].address;
    listener_->fds = {net::open_listener(net::SocketAddress(listener_->address), true, 64)};
    listener_->max_connections = 1024;
    listener_->stats.push_back(std::make_unique<ListenerStats>());
    port_ = listener_->address.port = port_of(listener_->fds[0]);
    WorkerOptions options{0, 1, &ring_, &office_, limits_.secret()};
    options.mirrors = &mirrors_;
    worker_ = std::make_unique<Worker>(clock_, options);
    thread_ = std::thread([this] { worker_->run(); });
  }
  snapshot->listeners.push_back({listener_, config->listeners[0]});
  std::promise<void> adopted;
  worker_->adopt(snapshot, [&adopted] { adopted.set_value(); });
  ASSERT_EQ(adopted.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

std::string ProxyTest::stop() {
  if (thread_.joinable()) {
    worker_->stop();
    thread_.join();
    EXPECT_EQ(worker_->stats().exchanges_live.value(), 0);
    EXPECT_EQ(worker_->stats().downstream_connections_live.value(), 0);
    EXPECT_EQ(worker_->stats().upstream_connections_live.value(), 0);
    EXPECT_EQ(worker_->accounted_bytes(), 0);
  }
  std::string log;
  while (ring_.size() > 0) {
    log += ring_.front();
    ring_.consume(ring_.front().size());
  }
  return log;
}

}  // namespace weir::proxy
