#include "sim/cli/output.hpp"

#include "sim/atomic_file.hpp"
#include "sim/error.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <system_error>
#include <unistd.h>

namespace decodesim {

namespace fs = std::filesystem;

namespace {

const std::vector<std::string> colour_choices{"auto", "always", "never"};

std::string choice(const std::optional<std::string>& given,
                   const char* flag,
                   const char* what,
                   const std::vector<std::string>& known) {
  if (!given) {
    return known.front();
  }
  if (std::find(known.begin(), known.end(), *given) == known.end()) {
    throw InputError::unknown_name(flag, what, *given, known);
  }
  return *given;
}

bool environment_has(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool terminal_takes_colour() {
  const char* terminal = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && !environment_has("NO_COLOR") &&
         (terminal == nullptr || std::string{terminal} != "dumb");
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "" : "|") + name;
  }
  return text;
}

} // namespace

void add_output_flags(CLI::App& app,
                      OutputFlags& flags,
                      const std::vector<std::string>& formats,
                      bool with_colour) {
  const auto* output = "Output";
  app.add_option("--format", flags.format, "Form of the results [" + formats.front() + "]")
      ->type_name(joined(formats))
      ->group(output);
  app.add_option(
         "--output", flags.file, "File for the results, written whole or not at all [stdout]")
      ->type_name("FILE")
      ->group(output);
  if (with_colour) {
    app.add_option("--color", flags.colour, "Colours in text: auto is on a terminal [auto]")
        ->type_name(joined(colour_choices))
        ->group(output);
  }
}

Output::Output(const OutputFlags& flags, const std::vector<std::string>& formats)
    : format_{choice(flags.format, "--format", "format", formats)}, file_{flags.file} {
  const auto colour = choice(flags.colour, "--color", "choice", colour_choices);
  colour_ = colour == "always" || (colour == "auto" && !file_ && terminal_takes_colour());
  if (file_) {
    check_writable(*file_);
  }
}

void Output::write(const std::string& text) const {
  if (file_) {
    write_file(*file_, text);
  } else {
    std::cout << text;
  }
}

void check_writable(const fs::path& path) { (void)AtomicFile{path}; }

OutputFolder::OutputFolder(fs::path path) : path_{std::move(path)} {
  for (auto folder = path_; !folder.empty() && !fs::exists(folder); folder = folder.parent_path()) {
    if (folder.has_filename()) {
      made_.push_back(folder);
    }
  }
  std::error_code error;
  fs::create_directories(path_, error);
  if (error || !fs::is_directory(path_)) {
    throw InputError::at(path_.string(),
                         "cannot be used as a folder" + (error ? " (" + error.message() + ")" : ""),
                         "give a folder that exists or can be made");
  }
  check_writable(path_ / "timeline.json");
}

OutputFolder::~OutputFolder() {
  std::error_code not_empty;
  for (const auto& folder : made_) {
    fs::remove(folder, not_empty);
  }
}

} // namespace decodesim
