#pragma once

#include "validation/executor/kernel_calls.hpp"
#include "validation/executor/rank_place.hpp"

#include <map>
#include <string>
#include <vector>

namespace decodesim {

/// Turns the kernels of one rank's plan into calls on its memory.
class KernelResolver {
public:
  /// @param arrays  memory of each buffer of the rank's program
  KernelResolver(const Model& model, RankPlace place, std::vector<Array> arrays);

  /// @param step    decode step; 0 outside the body
  /// @param tables  of the operation's layer, step and micro-batch; may be null without experts
  /// @throws SimulationError when the plan's buffers do not suit the kernel
  [[nodiscard]] KernelCall call(const Operation& op,
                                Part part,
                                int step,
                                const std::shared_ptr<const ExpertTables>& tables) const;

  [[nodiscard]] const Array& array(BufferId id) const {
    return arrays_[static_cast<std::size_t>(id)];
  }

  /// Where the logits that an operation samples from lie; [parts, rows, part columns].
  [[nodiscard]] SamplingCall sampling(const Operation& op) const;

private:
  const Model& model_;
  RankPlace place_;
  std::vector<Array> arrays_;
  std::map<std::string, BufferId> by_name_;
  std::map<BufferId, std::int64_t> column_parts_; ///< of arrays gathered from parts of each row

  [[nodiscard]] const Buffer& buffer(BufferId id) const;
  [[nodiscard]] std::optional<Array> array_named(const std::string& name) const;
  [[nodiscard]] std::optional<Array> bias_of(BufferId weights) const;
  [[nodiscard]] float largest_weight(BufferId weights) const;
  [[nodiscard]] RowChoice chosen_rows(BufferId x, std::int64_t rows, Part part) const;
  [[nodiscard]] std::int64_t first_position(Part part, int step) const;
  [[nodiscard]] CachePlace cache_place(BufferId cache, int micro_batch) const;

  KernelCall gemm(const Operation& op, const Gemm& gemm, Part part) const;
  KernelCall attention(const Operation& op, const Attention& attention, int step) const;
  KernelCall row(const Operation& op,
                 const RowKernel& row,
                 Part part,
                 int step,
                 const std::shared_ptr<const ExpertTables>& tables) const;
  [[nodiscard]] CopyCall copy(const Operation& op, const RowKernel& row) const;
  KernelCall norm(const Operation& op, const RowKernel& row, Part part) const;
  KernelCall cache_write(const Operation& op, const RowKernel& row, Part part, int step) const;
  KernelCall embedding(const Operation& op, const RowKernel& row, Part part, int step) const;
  KernelCall grouped(const Operation& op,
                     const GroupedGemm& gemm,
                     const std::shared_ptr<const ExpertTables>& tables) const;
  KernelCall routed(const Operation& op,
                    const RoutedRowKernel& row,
                    const std::shared_ptr<const ExpertTables>& tables) const;
};

} // namespace decodesim
