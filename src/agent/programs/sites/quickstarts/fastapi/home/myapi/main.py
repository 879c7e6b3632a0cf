# The starting point of an ASGI application. Edit it, then press Reload on the Web page.
# It is started by the site's command: uvicorn --app-dir __HOLDFAST_PROJECT__ --uds ${DOMAIN_SOCKET} main:app
from pathlib import Path

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

app = FastAPI(title="My API")


@app.get("/", response_class=HTMLResponse)
async def welcome():
    return Path(__file__).with_name("welcome.html").read_text()


@app.get("/api/hello")
async def hello(name: str = "world"):
    return {"message": f"Hello, {name}!"}


@app.websocket("/ws")
async def echo(websocket: WebSocket):
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass
