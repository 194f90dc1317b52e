#include "sim/cli/command_line.hpp"

int main(int argc, char** argv) { return decodesim::command_line(argc, argv); }
