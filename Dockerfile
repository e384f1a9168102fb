# One image for CPU and GPU machines. torch's website lists the package index of each build (CPU, CUDA 12.x, …);
# without TORCH_INDEX, pip's default index is used, whose Linux build includes CUDA.
#   docker build -t nn --build-arg TORCH_INDEX=ADDRESS_OF_THE_CPU_OR_CUDA_INDEX .
#   docker run --rm -v "$PWD:/home/nn/work" nn train
#   docker run --rm --gpus all -v "$PWD:/home/nn/work" nn train trainer=gpu
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY nncli nncli
COPY conf conf
COPY recipes recipes
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
ARG TORCH_INDEX
ARG TORCH=2.13.0
# torch first, in its own layer: it is large and rarely changes
RUN ${TORCH_INDEX:+env PIP_INDEX_URL=${TORCH_INDEX}} pip install --no-cache-dir torch==${TORCH}
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl && rm -r /wheels
RUN useradd --create-home nn
USER nn
WORKDIR /home/nn/work
ENTRYPOINT ["nn"]
CMD ["--help"]
