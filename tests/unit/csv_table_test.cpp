#include "tests/unit/input_file.hpp"
#include "validation/csv_table.hpp"

#include <gtest/gtest.h>

namespace decodesim {
namespace {

std::string message_of(const std::string& text) {
  const InputFile file{text, "t.csv"};
  return file.message_of([&] { (void)CsvTable::read(file.path()); });
}

TEST(CsvTable, ReadsCommentsHeaderAndQuotedFields) {
  const InputFile file{
      "# source: a table\n# note: two\nid,value,words\na,1.5,\"x, \"\"y\"\"\"\r\n\nb,2e3,\n",
      "t.csv"};
  const auto table = CsvTable::read(file.path());
  EXPECT_EQ(table.comments(), (std::vector<std::string>{"# source: a table", "# note: two"}));
  ASSERT_EQ(table.rows(), 2U);
  EXPECT_EQ(table.text(0, "words"), "x, \"y\"");
  EXPECT_DOUBLE_EQ(table.number(0, "value"), 1.5);
  EXPECT_DOUBLE_EQ(table.number(1, "value"), 2000);
  EXPECT_EQ(table.text(1, "words"), "");
  EXPECT_TRUE(table.has_column("id"));
  EXPECT_FALSE(table.has_column("unit"));
  EXPECT_EQ(table.where(1), "t.csv:6");
  EXPECT_DOUBLE_EQ(table.number_or(1, "words", 7), 7);
  EXPECT_DOUBLE_EQ(table.number_or(1, "unit", 8), 8);
}

TEST(CsvTable, RefusesWhatIsNoTable) {
  EXPECT_EQ(message_of("# only a comment\n"), "t.csv: has no header row; a CSV file is expected");
  EXPECT_EQ(message_of("a,b,a\n"), "t.csv:1: names column \"a\" twice");
  EXPECT_EQ(message_of("a,b\n1,2,3\n"), "t.csv:2: has 3 fields; the header has 2");
  EXPECT_EQ(message_of("a,b\n1,\"2\n"), "t.csv:2: has a quoted field that does not end");
}

TEST(CsvTable, NamesTheFieldThatIsNoNumber) {
  const InputFile file{"a,b\n1,many\n2,inf\n", "t.csv"};
  const auto table = CsvTable::read(file.path());
  EXPECT_EQ(file.message_of([&] { (void)table.number(0, "b"); }),
            "t.csv:2: b: is \"many\"; a number is expected");
  EXPECT_EQ(file.message_of([&] { (void)table.number(1, "b"); }),
            "t.csv:3: b: is \"inf\"; a number is expected");
  EXPECT_EQ(file.message_of([&] { (void)table.text(0, "c"); }), "t.csv: has no column \"c\"");
}

} // namespace
} // namespace decodesim
