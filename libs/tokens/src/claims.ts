/** The registered claims we issue (RFC 7519 §4.1); `sub` is the user's id as a string, times are in seconds. */
export interface Claims {
  sub: string;
  iss: string;
  aud: string;
  iat: number;
  exp: number;
}
