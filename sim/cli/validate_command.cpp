#include "sim/cli/commands.hpp"
#include "sim/cli/flags.hpp"
#include "sim/cli/output.hpp"
#include "validation/validate_cases.hpp"
#include "validation/validate_collectives.hpp"
#include "validation/validate_measured.hpp"
#include "validation/validate_operators.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace decodesim {

namespace {

struct ValidateFlags {
  Flag cases;
  Flag collectives;
  Flag operators;
  Flag measured;
  Flag timeline;
  bool spans = false;
  Flag machine;
  Flag nodes;
  Flag algorithm;
  OutputFlags output;
};

ComparisonReport compare(const ValidateFlags& flags) {
  const int files = (flags.cases ? 1 : 0) + (flags.collectives ? 1 : 0) +
                    (flags.operators ? 1 : 0) + (flags.measured ? 1 : 0);
  if (files > 1) {
    throw UsageError{"give one of --cases, --collectives, --operators and --measured"};
  }
  if (flags.machine && !flags.collectives && !flags.measured) {
    throw UsageError{"--machine goes with --collectives and --measured"};
  }
  if ((flags.nodes || flags.algorithm) && !flags.collectives) {
    throw UsageError{"--nodes and --algorithm go with --collectives"};
  }
  if ((flags.timeline || flags.spans) && !flags.measured) {
    throw UsageError{"--timeline and --spans go with --measured"};
  }
  if (flags.measured) {
    return validate_measured(
        *flags.measured,
        {.machine = flags.machine, .timeline = flags.timeline, .spans = flags.spans});
  }
  if (flags.collectives) {
    CollectiveSystem system{.machine = flags.machine, .nodes = {}, .collectives = flags.algorithm};
    if (flags.nodes) {
      system.nodes = static_cast<int>(parse_count(*flags.nodes, "--nodes", 10'000));
    }
    return validate_collectives(*flags.collectives, system);
  }
  if (flags.operators) {
    return validate_operators(*flags.operators);
  }
  return validate_cases(flags.cases.value_or(default_case_file().string()));
}

ExitCode validate(const ValidateFlags& flags) {
  const Output output{flags.output, output_format_names()};
  const auto report = compare(flags);
  output.write(render(report, output_format_named(output.format(), "--format"), output.colour()));
  return ExitCode::success;
}

} // namespace

Command add_validate_command(CLI::App& program) {
  auto* app = program.add_subcommand(
      "validate", "Compare the simulation with measurements: signed errors, case by case");
  app->footer("Without a file: the cases that come with the program.\n"
              "Examples:\n"
              "  decodesim validate\n"
              "  decodesim validate --cases my-cases.csv --format json --output errors.json\n"
              "  decodesim validate --collectives all_reduce_perf.txt --machine dgx-h100");
  auto flags = std::make_shared<ValidateFlags>();
  const auto* what = "Measurements";
  app->add_option("--cases", flags->cases, "Decoding runs: a case file (docs/formats.md)")
      ->type_name("FILE")
      ->group(what);
  app->add_option("--collectives",
                  flags->collectives,
                  "Collectives: output of nccl-tests, or a CSV file of such results")
      ->type_name("FILE")
      ->group(what);
  app->add_option("--operators",
                  flags->operators,
                  "Single kernels: a CSV file of operator times, or a run file of probes")
      ->type_name("FILE")
      ->group(what);
  app->add_option("--measured", flags->measured, "Plans that GPUs executed: a run file")
      ->type_name("FILE")
      ->group(what);
  const auto* executed = "Executed plans";
  app->add_option(
         "--timeline", flags->timeline, "Simulation and measurement side by side, for Perfetto")
      ->type_name("FILE")
      ->group(executed);
  app->add_flag("--spans", flags->spans, "A row for each operation of each layer")->group(executed);
  const auto* system = "System of --collectives, and machine of --measured";
  app->add_option("--machine", flags->machine, "Preset (see `list machines`) or machine file")
      ->type_name("NAME|PATH")
      ->group(system);
  app->add_option("--nodes", flags->nodes, "Servers")->type_name("N")->group(system);
  app->add_option("--algorithm", flags->algorithm, "Collective algorithm (see `list collectives`)")
      ->type_name("NAME")
      ->group(system);
  add_output_flags(*app, flags->output, output_format_names(), true);
  return {app, [flags] { return validate(*flags); }};
}

} // namespace decodesim
