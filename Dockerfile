# One image for both kinds of machine:
#   docker build -t nn .                              for a CPU
#   docker build -t nn --build-arg DEVICE=cu128 .     for an NVIDIA GPU (any index that torch publishes: cu126, cu128, …)
#   docker run --rm -v "$PWD:/home/nn/work" nn train
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY nncli nncli
COPY conf conf
COPY recipes recipes
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
ARG DEVICE=cpu
ARG TORCH=2.13.0
# torch first, in a layer of its own: it is large and changes least
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/${DEVICE} torch==${TORCH}
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir /wheels/*.whl && rm -r /wheels
RUN useradd --create-home nn
USER nn
WORKDIR /home/nn/work
ENTRYPOINT ["nn"]
CMD ["--help"]
