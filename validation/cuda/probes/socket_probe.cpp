#include "validation/cuda/probes/probe_list.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace decodesim {

namespace {

int checked(int result, const char* what) {
  if (result < 0) {
    throw std::runtime_error{std::string{"cannot "} + what + ": " + std::strerror(errno)};
  }
  return result;
}

/// A descriptor, closed at the end of its scope.
class Socket {
public:
  explicit Socket(int descriptor) : descriptor_{descriptor} {}

  Socket(Socket&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}

  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  Socket& operator=(Socket&&) = delete;

  ~Socket() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }

  [[nodiscard]] int descriptor() const { return descriptor_; }

  void send_all(const std::vector<char>& bytes) const {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const auto more = send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (more <= 0) {
        throw std::runtime_error{"the connection on loopback broke off"};
      }
      sent += static_cast<std::size_t>(more);
    }
  }

  /// False at the end of the connection.
  [[nodiscard]] bool receive_all(std::vector<char>& bytes) const {
    for (std::size_t got = 0; got < bytes.size();) {
      const auto more = recv(descriptor_, bytes.data() + got, bytes.size() - got, 0);
      if (more <= 0) {
        return false;
      }
      got += static_cast<std::size_t>(more);
    }
    return true;
  }

private:
  int descriptor_ = -1;
};

Socket tcp_socket() { return Socket{checked(socket(AF_INET, SOCK_STREAM, 0), "make a socket")}; }

void send_at_once(const Socket& socket) {
  const int on = 1;
  checked(setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on),
          "set TCP_NODELAY");
}

/// The other end of the connection: sends back what it gets, until the connection ends.
void echo(const sockaddr_in& address, std::size_t bytes) {
  const auto socket = tcp_socket();
  checked(connect(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "connect on loopback");
  send_at_once(socket);
  std::vector<char> message(bytes);
  while (socket.receive_all(message)) {
    socket.send_all(message);
  }
}

void measure(const StoppingRule& rule, std::size_t bytes, ProbeResult& point) {
  const auto listener = tcp_socket();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  checked(bind(listener.descriptor(), any, length), "bind a socket to loopback");
  checked(listen(listener.descriptor(), 1), "listen on loopback");
  checked(getsockname(listener.descriptor(), any, &length), "find the port");
  const pid_t other = checked(fork(), "start a process");
  if (other == 0) {
    try {
      echo(address, bytes);
      _exit(0);
    } catch (const std::exception&) {
      _exit(1);
    }
  }
  try {
    const Socket connection{
        checked(accept(listener.descriptor(), nullptr, nullptr), "accept a connection")};
    send_at_once(connection);
    std::vector<char> message(bytes, 'x');
    const int repeats = bytes <= 65536 ? 50 : 2;
    const auto round_trips = [&] {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < repeats; ++i) {
        connection.send_all(message);
        if (!connection.receive_all(message)) {
          throw std::runtime_error{"the connection on loopback broke off"};
        }
      }
      const auto stop = std::chrono::steady_clock::now();
      return std::chrono::duration<double, std::micro>(stop - start).count() / (2.0 * repeats);
    };
    (void)round_trips();
    const auto samples = take_samples(rule, round_trips);
    point.samples_us = samples.values;
    point.converged = samples.converged;
    point.repeats = 2 * repeats;
    shutdown(connection.descriptor(), SHUT_RDWR);
  } catch (...) {
    shutdown(listener.descriptor(), SHUT_RDWR);
    waitpid(other, nullptr, 0);
    throw;
  }
  waitpid(other, nullptr, 0);
}

} // namespace

void probe_sockets(ProbeSession& session) {
  for (std::size_t bytes = 1; bytes <= std::size_t{16} << 20; bytes *= 8) {
    const auto count = static_cast<std::int64_t>(bytes);
    session.point({.parameters = {{"message_bytes", count}}, .bytes = count},
                  [&](ProbeResult& point) { measure(session.limits().rule, bytes, point); });
  }
}

} // namespace decodesim
