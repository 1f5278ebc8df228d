# The web, worker and beat processes of a production installation; the services are outside (see compose.yaml).
FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 UV_COMPILE_BYTECODE=1 HEED_MODE=production
RUN pip install --no-cache-dir uv && useradd --create-home heed
WORKDIR /srv/heed
COPY requirements.txt .
RUN uv pip install --system --no-cache --require-hashes -r requirements.txt
COPY . .
USER heed
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "config.wsgi:application"]
