import type { Painter, Picture } from "./painter";
import { reduced } from "./painter";
import type { Frame } from "./frame";
import { inverse } from "./view";

const VERTICES = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1, 0, 1); }`;

// Codes become brightness first, which is then interpolated: so a pixel that is exactly hit is exactly shown.
const FRAGMENTS = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D codes;
uniform usampler2D table;
uniform mat3 toImage;
uniform float height;
uniform bool isSmooth;
uniform bool isColour;
out vec4 colour;

vec3 shown(ivec2 place) {
  uvec3 code = texelFetch(codes, place, 0).rgb;
  if (isColour) return vec3(texelFetch(table, ivec2(code.r, 0), 0).r, texelFetch(table, ivec2(code.g, 0), 0).r, texelFetch(table, ivec2(code.b, 0), 0).r);
  return vec3(texelFetch(table, ivec2(code.r & 255u, code.r >> 8), 0).r);
}

void main() {
  vec2 place = (toImage * vec3(gl_FragCoord.x, height - gl_FragCoord.y, 1)).xy;
  vec2 size = vec2(textureSize(codes, 0));
  if (any(lessThan(place, vec2(0))) || any(greaterThanEqual(place, size))) {
    colour = vec4(0, 0, 0, 1);
    return;
  }
  ivec2 last = ivec2(size) - 1;
  vec3 level;
  if (isSmooth) {
    vec2 between = place - 0.5;
    ivec2 low = ivec2(floor(between));
    vec2 part = between - vec2(low);
    ivec2 high = min(low + 1, last);
    low = max(low, ivec2(0));
    vec3 upper = mix(shown(low), shown(ivec2(high.x, low.y)), part.x);
    vec3 lower = mix(shown(ivec2(low.x, high.y)), shown(high), part.x);
    level = mix(upper, lower, part.y);
  } else {
    level = shown(min(ivec2(place), last));
  }
  colour = vec4(level / 255.0, 1);
}`;

const ATTRIBUTES: WebGLContextAttributes = {
  alpha: false, antialias: false, depth: false, preserveDrawingBuffer: true,
  failIfMajorPerformanceCaveat: true, // without a graphics processor the 2D canvas needs a fifth of the time
};

/** Null where there is no WebGL 2, or no graphics processor behind it. */
export function glPainter(canvas: HTMLCanvasElement): Painter | null {
  const gl = canvas.getContext("webgl2", ATTRIBUTES) as WebGL2RenderingContext | null;
  if (!gl) return null;
  const program = linked(gl);
  gl.useProgram(program);
  const place = (name: string) => gl.getUniformLocation(program, name);
  const places = { toImage: place("toImage"), height: place("height"), isSmooth: place("isSmooth"), isColour: place("isColour") };
  gl.uniform1i(place("codes"), 0);
  gl.uniform1i(place("table"), 1);
  const codes = texture(gl, 0);
  const table = texture(gl, 1);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  const largest = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
  let lastFrame: Frame | null = null;
  let lastTable: Uint8Array | null = null;

  return {
    kind: "webgl2",
    paint(whole: Picture) {
      const picture = reduced(whole);
      const { frame } = picture;
      if (frame.columns > largest || frame.rows > largest) throw new Error(`the image is larger than this graphics processor can show: ${frame.columns} x ${frame.rows}`);
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, codes);
      if (frame !== lastFrame) loadCodes(gl, frame);
      gl.activeTexture(gl.TEXTURE1);
      gl.bindTexture(gl.TEXTURE_2D, table);
      if (picture.table !== lastTable) {
        const { length } = picture.table;
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, 256, length / 256, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, picture.table);
      }
      lastFrame = frame;
      lastTable = picture.table;
      const [a, b, c, d, e, f] = inverse(picture.matrix);
      gl.uniformMatrix3fv(places.toImage, false, [a, b, 0, c, d, 0, e, f, 1]);
      gl.uniform1f(places.height, canvas.height);
      gl.uniform1i(places.isSmooth, picture.isSmooth ? 1 : 0);
      gl.uniform1i(places.isColour, frame.channels === 3 ? 1 : 0);
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    },
    clear() {
      gl.clearColor(0, 0, 0, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
    },
    dispose() {
      gl.deleteTexture(codes);
      gl.deleteTexture(table);
      gl.deleteProgram(program);
    },
  };
}

function loadCodes(gl: WebGL2RenderingContext, { columns, rows, channels, codes }: Frame): void {
  const isColour = channels === 3;
  const isWide = codes instanceof Uint16Array;
  const internal = isColour ? gl.RGB8UI : isWide ? gl.R16UI : gl.R8UI;
  gl.texImage2D(
    gl.TEXTURE_2D, 0, internal, columns, rows, 0,
    isColour ? gl.RGB_INTEGER : gl.RED_INTEGER, isWide ? gl.UNSIGNED_SHORT : gl.UNSIGNED_BYTE, codes,
  );
}

function texture(gl: WebGL2RenderingContext, unit: number): WebGLTexture {
  const made = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  return made;
}

function linked(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTICES], [gl.FRAGMENT_SHADER, FRAGMENTS]] as const) {
    const shader = gl.createShader(kind);
    if (!shader) break; // the context is lost: painting shows nothing until it is restored
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program) ?? "WebGL");
  return program;
}
