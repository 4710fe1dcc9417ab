-- AlterTable
ALTER TABLE "User" DROP COLUMN "rating";
