#include "topologies/topo_matrix.hpp"

#include "sim/error.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <regex>
#include <sstream>

namespace decodesim {

namespace {

/// Of any GPU so far (H100, B200).
constexpr int most_nvlinks = 18;

struct Line {
  int number = 0; ///< from 1
  std::string text;
};

constexpr std::array<std::pair<const char*, TopoKind>, 6> entry_names{{{"PIX", TopoKind::pix},
                                                                       {"PXB", TopoKind::pxb},
                                                                       {"PHB", TopoKind::phb},
                                                                       {"NODE", TopoKind::node},
                                                                       {"SYS", TopoKind::sys},
                                                                       {"SOC", TopoKind::sys}}};

/// Without colour codes, quotation marks and the bars of a table; tabs as spaces.
std::string plain(std::string line) {
  static const std::regex colour{"\x1b\\[[0-9;?]*[A-Za-z]|\\\\e\\[[0-9;]*m|\\[[0-9;]+m"};
  line = std::regex_replace(line, colour, "");
  line = std::regex_replace(line, std::regex{"\xEF\xBB\xBF"}, ""); // byte order mark
  line = std::regex_replace(line, std::regex{"\xC2\xA0"}, " ");    // no-break space, of web pages
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\t' || c == '\r' || c == '|'; }, ' ');
  const auto begin = line.find_first_not_of(" >`");
  return begin == std::string::npos ? "" : line.substr(begin);
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream{text};
  std::vector<std::string> all;
  for (std::string word; stream >> word;) {
    all.push_back(word);
  }
  return all;
}

/// The devices that a header names, lost tabs or not: "GPU0GPU1mlx5_0CPU Affinity".
std::vector<std::string> header_names(const std::string& line) {
  static const std::regex name{"(GPU|NIC)[0-9]+|mlx[0-9]_(bond_)?[0-9]+|[a-z][a-z0-9_]*[0-9]"};
  const auto end = std::min({line.find("CPU"), line.find("NUMA"), line.size()});
  const auto head = line.substr(0, end);
  std::vector<std::string> names;
  for (std::sregex_iterator match{head.begin(), head.end(), name}, none; match != none; ++match) {
    names.push_back(match->str());
  }
  return names;
}

bool is_entry(const std::string& word) {
  static const std::regex entry{"X|NV[0-9]+|PIX|PXB|PHB|NODE|SYS|SOC"};
  return std::regex_match(word, entry);
}

/// A line that names devices and has no entry.
bool is_header(const std::string& line) {
  static const std::regex header{"GPU0\\s*(GPU.*|NIC.*|CPU.*|[a-z].*)?"};
  static const std::regex entry{"\\s(X|NV[0-9]+|PIX|PXB|PHB|NODE|SYS|SOC)(\\s|$)"};
  return std::regex_match(line, header) && !std::regex_search(line, entry);
}

std::vector<Line> lines_of(const std::string& text) {
  std::vector<Line> lines;
  std::istringstream stream{text};
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back({++number, plain(line)});
  }
  return lines;
}

/// Takes one entry off the front of `rest`; nothing when there is none.
std::optional<TopoEntry> take_entry(std::string& rest, bool& self) {
  const auto begin = std::min(rest.find_first_not_of(' '), rest.size());
  rest.erase(0, begin);
  const auto take = [&](std::size_t length, TopoEntry entry) {
    rest.erase(0, length);
    return std::optional{entry};
  };
  if (rest.starts_with("X")) {
    self = true;
    return take(1, {});
  }
  if (rest.starts_with("NV") && rest.size() > 2 && std::isdigit(rest[2]) != 0) {
    // Where tabs are lost, "NV4" and "0-63" are one word.
    const bool two = rest.size() > 3 && std::isdigit(rest[3]) != 0 &&
                     std::stoi(rest.substr(2, 2)) <= most_nvlinks;
    const std::size_t digits = two ? 2 : 1;
    return take(2 + digits, {TopoKind::nvlink, std::stoi(rest.substr(2, digits))});
  }
  for (const auto& [name, kind] : entry_names) {
    if (rest.starts_with(name)) {
      return take(std::string{name}.size(), {kind});
    }
  }
  return std::nullopt;
}

class Reader {
public:
  Reader(const std::string& text, std::string where)
      : lines_{lines_of(text)}, where_{std::move(where)} {}

  TopoMatrix read() {
    const auto header = std::find_if(
        lines_.begin(), lines_.end(), [](const Line& line) { return is_header(line.text); });
    if (header == lines_.end()) {
      throw InputError::at(where_,
                           "has no line that begins with GPU0 and names the columns",
                           "the output of `nvidia-smi topo -m` is expected");
    }
    header_ = *header;
    for (const auto& name : header_names(header->text)) {
      matrix_.devices.push_back({.name = name, .gpu = name.starts_with("GPU")});
    }
    check_header();
    const auto count = matrix_.devices.size();
    row_line_.assign(count, 0);
    matrix_.joins.assign(count, std::vector<TopoEntry>(count));
    for (auto line = header + 1; line != lines_.end(); ++line) {
      if (line->text.starts_with("Legend")) {
        break;
      }
      read_row(*line);
    }
    read_nic_legend();
    check_rows();
    return std::move(matrix_);
  }

private:
  [[nodiscard]] InputError
  error(const Line& line, const std::string& found, const std::string& allowed) const {
    return InputError::at(where_ + ": line " + std::to_string(line.number), found, allowed);
  }

  [[nodiscard]] const std::string& name(std::size_t device) const {
    return matrix_.devices[device].name;
  }

  void check_header() const {
    bool nics = false;
    for (std::size_t i = 0; i < matrix_.devices.size(); ++i) {
      nics = nics || !matrix_.devices[i].gpu;
      if (matrix_.devices[i].gpu && (nics || name(i) != "GPU" + std::to_string(i))) {
        throw error(header_,
                    "names " + name(i) + " as column " + std::to_string(i + 1),
                    "GPU0, GPU1 and so on are expected, then NICs");
      }
    }
  }

  void read_row(const Line& line) {
    for (std::size_t row = 0; row < matrix_.devices.size(); ++row) {
      const auto& device = name(row);
      const auto after = line.text.size() > device.size() ? line.text[device.size()] : ' ';
      if (!line.text.starts_with(device) || std::isdigit(static_cast<unsigned char>(after)) != 0 ||
          after == ':') {
        continue;
      }
      if (row_line_[row] > 0) {
        throw error(line,
                    "is a second row of " + device,
                    "line " + std::to_string(row_line_[row]) + " is the first");
      }
      row_line_[row] = line.number;
      read_entries(line, row);
      return;
    }
    refuse_lost_column(line);
  }

  /// A row of a device that has no column, or the rest of a row: the paste was wrapped or cut, and
  /// the machine would come out smaller.
  void refuse_lost_column(const Line& line) const {
    const auto all = words(line.text);
    const bool entries = !all.empty() && is_entry(all.back() == "N/A" ? all.front() : all.back());
    if (all.size() > 1 && (is_entry(all[1]) || (is_entry(all[0]) && entries))) {
      throw error(line,
                  "begins with \"" + all.front() + "\", which line " +
                      std::to_string(header_.number) + " does not name",
                  "a row for each column is expected, on one line");
    }
  }

  void read_entries(const Line& line, std::size_t row) {
    auto rest = line.text.substr(name(row).size());
    for (std::size_t column = 0; column < matrix_.devices.size(); ++column) {
      bool self = false;
      const auto entry = take_entry(rest, self);
      if (!entry) {
        throw error(line,
                    "has " + (rest.empty() ? "nothing" : "\"" + words(rest).front() + "\"") +
                        " where " + name(row) + " meets " + name(column),
                    "X, NV#, PIX, PXB, PHB, NODE or SYS is expected");
      }
      if (self != (row == column)) {
        throw error(line,
                    std::string{self ? "has X" : "has no X"} + " where " + name(row) + " meets " +
                        name(column),
                    "a row has X where it meets itself, and nowhere else");
      }
      join(line, row, column, *entry);
    }
    const auto more = words(rest);
    if (!more.empty() && is_entry(more.front())) {
      throw error(line,
                  "has more entries than line " + std::to_string(header_.number) + " has columns",
                  "the paste may have been cut; an entry for each column is expected");
    }
    if (!more.empty() && more.front() != "N/A") {
      matrix_.devices[row].cpus = more.front();
    }
  }

  void join(const Line& line, std::size_t row, std::size_t column, TopoEntry entry) {
    if (row == column) {
      return;
    }
    const auto& mirror = matrix_.joins[column][row];
    if (row_line_[column] > 0 && (mirror.kind != entry.kind || mirror.nvlinks != entry.nvlinks)) {
      throw error(line,
                  "has another entry where " + name(row) + " meets " + name(column) +
                      " than line " + std::to_string(row_line_[column]),
                  "both rows say the same");
    }
    matrix_.joins[row][column] = entry;
    matrix_.joins[column][row] = entry;
  }

  void read_nic_legend() {
    static const std::regex line_form{"(NIC[0-9]+)\\s*:\\s*(\\S+).*"};
    for (const auto& line : lines_) {
      std::smatch match;
      if (std::regex_match(line.text, match, line_form)) {
        for (auto& device : matrix_.devices) {
          if (device.name == match[1].str()) {
            device.interface = match[2].str();
          }
        }
      }
    }
  }

  /// NIC rows may be missing; the columns of GPU rows tell most of it.
  void check_rows() const {
    for (std::size_t row = 0; row < matrix_.devices.size(); ++row) {
      if (row_line_[row] == 0 && matrix_.devices[row].gpu) {
        throw error(header_, "names " + name(row) + ", which has no row", "a row for each GPU");
      }
    }
  }

  std::vector<Line> lines_;
  std::string where_;
  Line header_;
  TopoMatrix matrix_;
  std::vector<int> row_line_; ///< 0: not read yet
};

} // namespace

int TopoMatrix::gpus() const {
  return static_cast<int>(std::count_if(
      devices.begin(), devices.end(), [](const TopoDevice& device) { return device.gpu; }));
}

TopoMatrix read_topo_matrix(const std::string& text, const std::string& where) {
  return Reader{text, where}.read();
}

} // namespace decodesim
