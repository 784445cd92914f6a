import type { User } from '#libs/users';

export type Someone = User;
