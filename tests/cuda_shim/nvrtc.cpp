// NVRTC of the stand-in: a kernel's source goes to compile.py, which makes a library for the CPU of
// it. What is a GPU's machine code in NVIDIA's is here "stand-in " and the library's name.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

struct Program {
    std::string source, log, made;
};

#define CALL extern "C" __attribute__((visibility("default"))) int

CALL nvrtcVersion(int* major, int* minor) { *major = STAND_IN_CUDA; *minor = 0; return 0; }
CALL nvrtcGetNumSupportedArchs(int* count) { *count = 7; return 0; }
CALL nvrtcGetSupportedArchs(int* archs) {
    const int known[7] = {75, 80, 86, 89, 90, 100, 120};
    memcpy(archs, known, sizeof known);
    return 0;
}
CALL nvrtcCreateProgram(
    Program** program, const char* source, const char*, int, const char* const*, const char* const*) {
    *program = new Program{source, "", ""};
    return 0;
}
CALL nvrtcDestroyProgram(Program** program) { delete *program; return 0; }
CALL nvrtcAddNameExpression(Program*, const char*) { return 5; }
CALL nvrtcGetLoweredName(Program*, const char*, const char**) { return 5; }

CALL nvrtcCompileProgram(Program* program, int count, const char* const* options) {
    char folder[] = "/tmp/stand-in-XXXXXX";
    if (mkdtemp(folder) == nullptr) return 1;
    const std::string path = std::string(folder) + "/kernel.cu";
    FILE* file = fopen(path.c_str(), "w");
    fputs(program->source.c_str(), file);
    fclose(file);
    std::string command = std::string(getenv("STAND_IN_COMPILE")) + " '" + path + "'";
    for (int i = 0; i < count; i++) command += std::string(" '") + options[i] + "'";
    FILE* output = popen((command + " 2>&1").c_str(), "r");
    char line[4096];
    while (fgets(line, sizeof line, output) != nullptr) program->log += line;
    const int status = pclose(output);
    remove(path.c_str());
    remove(folder);
    if (status != 0) return 6;  // NVRTC_ERROR_COMPILATION
    program->made = "stand-in " + program->log.substr(0, program->log.find('\n'));
    program->log.clear();
    return 0;
}

static int give(const std::string& text, char* to) {
    memcpy(to, text.c_str(), text.size() + 1);
    return 0;
}
CALL nvrtcGetCUBINSize(Program* program, size_t* size) { *size = program->made.size() + 1; return 0; }
CALL nvrtcGetCUBIN(Program* program, char* to) { return give(program->made, to); }
CALL nvrtcGetPTXSize(Program* program, size_t* size) { *size = program->made.size() + 1; return 0; }
CALL nvrtcGetPTX(Program* program, char* to) { return give(program->made, to); }
CALL nvrtcGetProgramLogSize(Program* p, size_t* size) { *size = p->log.size() + 1; return 0; }
CALL nvrtcGetProgramLog(Program* program, char* to) { return give(program->log, to); }
extern "C" __attribute__((visibility("default"))) const char* nvrtcGetErrorString(int error) {
    return error == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC error";
}
