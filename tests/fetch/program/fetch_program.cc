// `tidegate-runtime fetch` alone, for tests.
#include "serving-runtime/fetch/fetch_command.h"

int main(int argc, char** argv) { return tidegate::serving::fetch_main(argc, argv); }
